"""From what a request holds to the arrays that an endpoint takes. Each kind of input reads its own; none is named here."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_gen.core.checks import LARGEST_SEED
from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Input, check_inputs
from keras_gen.core.noise import draw

BINARY = "b64"


def json_of(body: bytes) -> dict[str, Any]:
    """The object that a body is; ``InvalidInput`` for no UTF-8, no JSON, another value, or one nested beyond all measure."""
    try:
        value = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The body is no UTF-8 text ({error}); send JSON.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The body is no complete JSON ({error}); send one JSON object.") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"The body is a JSON {type(value).__name__}; send an object.")
    return value


def known_keys(value: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    """``InvalidInput`` if an object has other keys than these."""
    if unknown := [key for key in value if key not in known]:
        raise InvalidInput(f"{what} holds {unknown[0]!r:.60}; it takes {', '.join(known)}.")


def seed_of(value: Any) -> int:
    """A seed of a request; left out (None) it is 0, as in ``model.sample``."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= LARGEST_SEED:
        raise InvalidInput(f"seed={value!r:.60}; give an integer from 0 to {LARGEST_SEED}.")
    return value


def received(kinds: Mapping[str, Input], name: str, values: Sequence[Any]) -> Any:
    """What the kind's ``check`` takes of values out of JSON, one an example: numbers, text, ``{"b64": ...}``, graphs."""
    if name not in kinds:
        raise InvalidInput(f"There is no input {name!r:.80}; the endpoint takes {', '.join(kinds)}.")
    kind = kinds[name]
    if not any(isinstance(value, str) or is_binary(value) for value in values):
        return kind.receive(name, values)
    return [kind.receive(name, _bytes_of(name, value) if is_binary(value) else value) for value in values]


def is_binary(value: Any) -> bool:
    """Whether a value of JSON stands for bytes: ``{"b64": "..."}``."""
    return isinstance(value, dict) and set(value) == {BINARY}


def _bytes_of(name: str, value: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(value[BINARY], validate=True)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{name} holds {BINARY!r} that is no base64 ({error}).") from error


def inputs_of(
    kinds: Mapping[str, Input], given: Mapping[str, Any], rows: int, seed: int, endpoint: str
) -> dict[str, np.ndarray]:
    """All inputs of an endpoint, ``rows`` of each. Noise that was not given is the seed's, a condition has its default.

    Row i of a seed is image i of ``model.sample(n, seed)``.
    """
    absent = {name: kind for name, kind in kinds.items() if name not in given}
    noise = {name: kind for name, kind in absent.items() if kind.distribution is not None}
    defaults = {name: kind.defaults(rows) for name, kind in absent.items() if name not in noise}
    return check_inputs(kinds, {**draw(noise, rows, seed), **defaults, **given}, f"{endpoint!r}", rows)
