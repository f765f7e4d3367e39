"""Names that users type, and what they stand for."""

import difflib
import importlib
from collections.abc import Iterator
from typing import Any

from keras_gen.core.errors import InvalidInput


class Registry:
    """Maps a name to an object, or to ``"module:attribute"`` that is imported when first asked for.

    The late import keeps ``keras_gen`` and its command line quick to start, and lets a lower floor ask for something
    that a higher floor provides without importing it.
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, Any] = {}

    def register(self, name: str, target: Any) -> Any:
        """Enters ``target`` (an object or ``"module:attribute"``) under ``name``; a name is given once."""
        if name in self._entries:
            raise InvalidInput(f"{self.kind} {name!r} is registered already; choose another name.")
        self._entries[name] = target
        return target

    def get(self, name: str) -> Any:
        """The object called ``name``. An unknown name is an ``InvalidInput`` that lists the known ones."""
        if not isinstance(name, str) or name not in self._entries:
            near = difflib.get_close_matches(str(name), self._entries, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidInput(f"Unknown {self.kind} {name!r}.{hint} Known: {', '.join(self)}.")
        target = self._entries[name]
        if isinstance(target, str):
            module, attribute = target.split(":")
            target = self._entries[name] = getattr(importlib.import_module(module), attribute)
        return target

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries


# What higher floors provide to lower ones: a model exports itself, yet the exporters lie above the models.
PROVIDED = Registry("part")
PROVIDED.register("write_artifact", "keras_gen.exporters.artifact:write_artifact")
