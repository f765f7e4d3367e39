"""Many requests at a time: computed together, each with its own answer; more than there is room for is refused."""

import asyncio
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from served import artifact, client_of, with_client

from keras_gen.core.errors import InvalidInput
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.serving.batching import Batcher, Room
from keras_gen.serving.limits import Limits, Refused


class Held:
    """A model that computes when it is told to; remembers the rows of each run."""

    def __init__(self):
        self.go, self.rows = threading.Event(), []

    def __call__(self, inputs):
        self.go.wait(10)
        self.rows.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("below zero")
        return {"y": 2 * inputs["x"]}


def with_batcher(slots=1, **limits):
    """Runs an asynchronous test on a ``Batcher`` of a ``Held`` model."""

    def decorate(test):
        def run():
            async def go():
                model = Held()
                with ThreadPoolExecutor(slots) as threads:
                    bounds = Limits(**limits)
                    batcher = Batcher(model, 8, bounds, Room(bounds), asyncio.Semaphore(slots), threads)
                    try:
                        await test(batcher, model)
                    finally:
                        model.go.set()
                        await batcher.close()

            asyncio.run(go())

        return run

    return decorate


def asked(batcher, *values):
    async def ask():
        with batcher.admitted(len(values)):
            return (await batcher.outputs({"x": np.array(values)}, len(values)))["y"].tolist()

    return asyncio.ensure_future(ask())


async def settled():
    for _ in range(5):
        await asyncio.sleep(0.01)


@with_batcher(run_rows=4)
async def test_what_comes_while_a_run_goes_on_is_computed_together(batcher, model):
    first = asked(batcher, 1)
    await settled()
    rest = [asked(batcher, 10 * place, 10 * place + 1) for place in range(1, 5)]
    await settled()
    assert model.rows == [] and batcher.admitted_rows == 9
    model.go.set()
    assert await asyncio.gather(first, *rest) == [[2], [20, 22], [40, 42], [60, 62], [80, 82]]
    assert model.rows == [1, 4, 4] and batcher.admitted_rows == 0


@with_batcher(run_rows=4)
async def test_a_large_request_is_computed_in_parts_and_comes_back_whole(batcher, model):
    model.go.set()
    assert await asked(batcher, *range(11)) == [2 * value for value in range(11)]
    assert model.rows == [4, 4, 3]


@with_batcher(run_rows=8)
async def test_what_fails_fails_alone(batcher, model):
    first = asked(batcher, 1)
    await settled()
    rest = [asked(batcher, 2), asked(batcher, -1), asked(batcher, 3, 4)]
    await settled()
    model.go.set()
    answers = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [answers[0], answers[1], answers[3]] == [[2], [4], [6, 8]]
    assert isinstance(answers[2], ValueError)
    assert model.rows == [1, 4, 1, 1, 2]


@with_batcher(run_rows=4, waiting_rows=6)
async def test_more_than_there_is_room_for_is_refused_at_once(batcher, model):
    with pytest.raises(InvalidInput, match="7 examples at once; this server takes 6"):
        await asked(batcher, *range(7))
    waiting = [asked(batcher, 1, 2), asked(batcher, 3, 4, 5)]
    await settled()
    with pytest.raises(Refused, match="5 examples wait already") as refused:
        await asked(batcher, 6, 7)
    assert refused.value.status == 503 and refused.value.headers == {"retry-after": "1"}
    last = asked(batcher, 6)  # for one there is room
    await settled()
    model.go.set()
    assert await asyncio.gather(*waiting, last) == [[2, 4], [6, 8, 10], [12]]


@with_batcher(run_rows=4, answer_seconds=1.0)
async def test_who_waits_too_long_is_told_and_what_nobody_waits_for_is_not_computed(batcher, model):
    first = asked(batcher, 1)
    await settled()
    gone = asked(batcher, 2, 3)
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    with pytest.raises(Refused, match="No result within 1 s") as refused:
        await first
    assert refused.value.status == 504 and batcher.admitted_rows == 0
    model.go.set()
    assert await asked(batcher, 5) == [10]
    assert model.rows == [1, 1]


@with_batcher(slots=2, run_rows=1)
async def test_as_many_runs_go_on_beside_each_other_as_there_are_slots(batcher, model):
    entered, most = threading.Semaphore(0), []
    plain = batcher._run

    def counting(inputs):
        entered.release()
        most.append(entered._value)
        plain(inputs)
        entered.acquire()
        return {"y": inputs["x"]}

    batcher._run = counting
    waiting = [asked(batcher, value) for value in range(5)]
    await settled()
    assert entered._value == 2
    model.go.set()
    assert await asyncio.gather(*waiting) == [[value] for value in range(5)]
    assert max(most) == 2


def test_memory_is_part_of_the_room():
    async def go():
        with ThreadPoolExecutor(1) as threads:
            bounds, slots = Limits(waiting_bytes=10_000), asyncio.Semaphore(1)
            room = Room(bounds)
            large, small = (Batcher(Held(), size, bounds, room, slots, threads) for size in (1000, 10))
            assert (large.most_rows, small.most_rows) == (10, 1000)
            with large.admitted(9), small.admitted(100):  # endpoints of one version share it
                with pytest.raises(Refused, match="109 examples wait"), small.admitted(1):
                    pass
            assert room.rows == 0
            await asyncio.gather(large.close(), small.close())

    asyncio.run(go())


@with_client("coder", run_rows=16)
async def test_each_gets_its_own_pixels_whoever_asks_beside_it(client):
    loaded = LoadedArtifact(artifact("coder"))
    sizes = [1 + seed % 7 for seed in range(40)]
    answers = await asyncio.gather(
        *(
            client.post("/v1/models/coder:predict", json={"seed": seed, "instances": [{}] * n})
            for seed, n in enumerate(sizes)
        )
    )
    for seed, (n, answer) in enumerate(zip(sizes, answers, strict=True)):
        np.testing.assert_array_equal(answer.json()["predictions"], loaded.sample(n, seed))
    text = (await client.get("/metrics")).text
    runs = next(line for line in text.splitlines() if line.startswith("keras_gen_batch_rows_count"))
    assert float(runs.split()[-1]) < 40  # fewer runs than requests


def test_overload_is_refused_and_memory_stays_bounded():
    """Far more is asked than there is room for: what is admitted is answered, the rest refused, and nothing piles up."""

    async def go():
        async with client_of(("coder",), waiting_rows=64, run_rows=8) as client:

            async def ask(seed):
                body = {"seed": seed, "instances": [{}] * 16}
                answer = await client.post("/v1/models/coder:predict", json=body)
                assert answer.status_code in (200, 503)
                assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
                return answer.status_code

            await asyncio.gather(*(ask(seed) for seed in range(100)))
            tracemalloc.start()
            found = [status for _ in range(3) for status in await asyncio.gather(*(ask(seed) for seed in range(100)))]
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert found.count(200) >= 12 and found.count(503) >= 12
            assert peak < 30 << 20
            assert client.models["coder"].current.batchers["sample"].admitted_rows == 0

    asyncio.run(go())
