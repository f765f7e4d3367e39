"""Versions come and go while requests are answered: none is lost, and what is damaged is never served."""

import asyncio
import shutil

import numpy as np
from served import artifact, client_of

from keras_gen.exporters.loaded_artifact import LoadedArtifact

PREDICT, INFER = "/v1/models/it:predict", "/v2/models/it/infer"
ASKED = {"inputs": [{"name": "z", "shape": [1, 2], "datatype": "FP32", "data": [1.0, -1.0]}]}


def put(source, target):
    """As whoever deploys should: copied beside, then renamed."""
    beside = target.with_name(f".{target.name}.part")
    shutil.copytree(source, beside)
    beside.rename(target)


def images_of(name):
    return LoadedArtifact(artifact(name)).images_of({"z": np.array([[1.0, -1.0]], np.float32)}).ravel().tolist()


def states(answer):
    return [(state["version"], state["state"]) for state in answer.json()["model_version_status"]]


def test_a_new_version_takes_over_without_a_request_lost(tmp_path):
    put(artifact("coder"), tmp_path / "1")
    (tmp_path / "notes").mkdir()
    wanted = {"1": images_of("coder"), "2": images_of("brighter")}
    assert wanted["1"] != wanted["2"]

    async def go():
        async with client_of({"it": tmp_path}, poll_seconds=0.02) as client:
            seen, stop = [], asyncio.Event()

            async def ask():
                while not stop.is_set():
                    answer = await client.post(INFER, json=ASKED)
                    assert answer.status_code == 200, answer.text
                    version = answer.json()["model_version"]
                    assert answer.json()["outputs"][0]["data"] == wanted[version]
                    seen.append(version)
                return True

            async def until(version):
                async with asyncio.timeout(20):
                    while seen[-1:] != [version]:
                        await asyncio.sleep(0.01)

            asking = [asyncio.ensure_future(ask()) for _ in range(4)]
            await until("1")
            await asyncio.to_thread(put, artifact("brighter"), tmp_path / "2")
            await until("2")
            assert states(await client.get("/v1/models/it"))[0] == ("2", "AVAILABLE")
            assert (await client.post("/v1/models/it/versions/1:predict", json={"instances": [{}]})).status_code == 404
            shutil.rmtree(tmp_path / "2")  # back to the one before
            await until("1")
            stop.set()
            assert all(await asyncio.gather(*asking)) and seen.count("2") > 0

    asyncio.run(go())


def test_a_version_that_is_left_ends_with_its_last_request(tmp_path):
    put(artifact("coder"), tmp_path / "1")

    async def go():
        async with client_of({"it": tmp_path}, poll_seconds=1000) as client:
            model = client.models["it"]
            with client.models.version("it") as held:
                put(artifact("brighter"), tmp_path / "2")
                await client.models.refresh()
                await asyncio.sleep(0.05)
                assert states(await client.get("/v1/models/it")) == [("2", "AVAILABLE"), ("1", "UNLOADING")]
                z = np.array([[1.0, -1.0]], np.float32)
                with held.batchers["sample"].admitted(1):
                    outputs = await held.batchers["sample"].outputs({"z": z}, 1)
                assert outputs["image"].ravel().tolist() == images_of("coder")
            await asyncio.sleep(0.05)
            assert states(await client.get("/v1/models/it")) == [("2", "AVAILABLE")] and not model.ending

    asyncio.run(go())


def test_a_damaged_version_is_named_and_not_served_until_it_is_whole(tmp_path):
    put(artifact("coder"), tmp_path / "1")

    async def go():
        async with client_of({"it": tmp_path}, poll_seconds=1000) as client:
            broken = tmp_path / "2"
            put(artifact("brighter"), broken)
            file = broken / "onnx" / "sample.onnx"
            whole = file.read_bytes()
            file.write_bytes(whole[:-1])
            await client.models.refresh()
            await client.models.refresh()
            assert states(await client.get("/v1/models/it")) == [("2", "END"), ("1", "AVAILABLE")]
            error = (await client.get("/v1/models/it/versions/2")).json()["model_version_status"][0]["status"]
            assert error["error_code"] == "INVALID_ARGUMENT" and "sample.onnx has" in error["error_message"]
            assert 'keras_gen_loads_total{model="it",result="failed"} 1.0' in (await client.get("/metrics")).text
            file.write_bytes(whole)
            await client.models.refresh()
            assert states(await client.get("/v1/models/it"))[0] == ("2", "AVAILABLE")

    asyncio.run(go())


def test_an_artifact_exported_again_to_its_place_is_served_from_there(tmp_path):
    place = tmp_path / "it"
    shutil.copytree(artifact("coder"), place)

    async def go():
        async with client_of({"it": place}, poll_seconds=1000) as client:
            before = (await client.post(INFER, json=ASKED)).json()["outputs"][0]["data"]
            shutil.rmtree(place)
            await client.models.refresh()  # nothing there: what was read goes on
            assert (await client.post(INFER, json=ASKED)).json()["outputs"][0]["data"] == before == images_of("coder")
            shutil.copytree(artifact("brighter"), place)
            await client.models.refresh()
            assert (await client.post(INFER, json=ASKED)).json()["outputs"][0]["data"] == images_of("brighter")

    asyncio.run(go())


def test_a_version_that_computes_otherwise_here_is_not_served(tmp_path):
    """Its files are whole, but the reference outputs that it carries are another model's."""
    from keras_gen.exporters.manifest import NAME, read_manifest, seal

    put(artifact("coder"), tmp_path / "1")
    shutil.copy(artifact("brighter") / "parity" / "sample.npz", tmp_path / "1" / "parity" / "sample.npz")
    manifest = read_manifest(tmp_path / "1")
    (tmp_path / "1" / NAME).unlink()
    seal(tmp_path / "1", {key: value for key, value in manifest.items() if key not in ("files", "manifest_sha256")})

    async def go():
        async with client_of({"it": tmp_path}) as client:
            assert (await client.get("/v2/health/ready")).status_code == 503
            answer = await client.post(PREDICT, json={"instances": [{}]})
            assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
            error = (await client.get("/v1/models/it")).json()["model_version_status"][0]["status"]["error_message"]
            assert "endpoint 'sample' does not give what the model gave" in error

    asyncio.run(go())
