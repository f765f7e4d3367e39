"""The kinds of inputs there are, by the name that manifests call them, and the command line's shorthands for them.

Nothing heavy is imported here: the command line asks for the shorthands before it knows whether it needs a model.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_gen.core.errors import InvalidInput
from keras_gen.core.registry import Registry


@dataclasses.dataclass(frozen=True)
class Shorthand:
    """An option ``--NAME VALUE`` of the command line that stands for ``--condition NAME=VALUE``.

    Args:
        name: of the condition, and of the option.
        value: what follows it, as the help text shows it: ``"N"``.
        help: what it does.
    """

    name: str
    value: str
    help: str


class InputKinds(Registry):
    """Maps a name to a subclass of ``core.inputs.Input``, and keeps the shorthands that kinds ask for."""

    def __init__(self) -> None:
        super().__init__("input kind")
        self.shorthands: dict[str, Shorthand] = {}

    def register(self, name: str, target: Any, shorthand: Shorthand | None = None) -> Any:
        """Enters a kind (a class whose ``kind`` is ``name``, or ``"module:attribute"``), with an option if it wants one."""
        if not isinstance(target, str) and getattr(target, "kind", None) != name:
            raise InvalidInput(
                f"{target!r} has kind={getattr(target, 'kind', None)!r}; wanted {name!r}, as it is registered."
            )
        if shorthand is not None and shorthand.name in self.shorthands:
            raise InvalidInput(f"The shorthand --{shorthand.name} is taken already; choose another name.")
        super().register(name, target)
        if shorthand is not None:
            self.shorthands[shorthand.name] = shorthand
        return target


INPUT_KINDS = InputKinds()
INPUT_KINDS.register("normal", "keras_gen.core.noise:Normal")
INPUT_KINDS.register("uniform", "keras_gen.core.noise:Uniform")
INPUT_KINDS.register("images", "keras_gen.core.inputs:Images")
INPUT_KINDS.register("known_pixels", "keras_gen.core.inputs:KnownPixels")
INPUT_KINDS.register("switch", "keras_gen.core.inputs:Switch")
INPUT_KINDS.register(
    "caption",
    "keras_gen.core.captions:Caption",
    Shorthand("caption", "TEXT", "Models of text to images: the sentence of all images."),
)
INPUT_KINDS.register("boxes", "keras_gen.core.graphs:Boxes")
INPUT_KINDS.register("masks", "keras_gen.core.graphs:Masks")
INPUT_KINDS.register(
    "graph",
    "keras_gen.core.graphs:Graph",
    Shorthand(
        "graph", "FILE.json", "Models of scene graphs to images: the graph of all images, or a list of one each."
    ),
)
INPUT_KINDS.register(
    "temperature",
    "keras_gen.core.inputs:Temperature",
    Shorthand("temperature", "T", "Flows: the noise's standard deviation; 1 by default, 0.7 for pictures."),
)
INPUT_KINDS.register(
    "truncation",
    "keras_gen.core.inputs:Truncation",
    Shorthand("truncation", "T", "BigGAN: the largest size of its noise; 10, none, by default, 0.5 for pictures."),
)
INPUT_KINDS.register(
    "labels",
    "keras_gen.core.inputs:Labels",
    Shorthand("label", "N", "Class-conditional models: the class of all images."),
)


def texts_of(words: Mapping[str, str | None], pairs: tuple[str, ...] = ()) -> dict[str, str]:
    """Conditions as a command line gives them: shorthands (None: not given), and ``NAME=VALUE`` pairs. One value a name."""
    texts = {name: text for name, text in words.items() if text is not None}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"--condition {pair} is no NAME=VALUE; write it as --condition label=3.")
        if name in texts:
            raise InvalidInput(f"The condition {name!r} is given twice ({texts[name]!r} and {text!r}); give it once.")
        texts[name] = text
    return texts
