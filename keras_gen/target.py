"""What a command is told to work on: a run folder, a ``.keras`` file, an exported artifact, or a preset."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_gen import presets
from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import check_name
from keras_gen.recipes.recipe import Recipe, build
from keras_gen.run_folder import ARTIFACT, RECORD, read_recipe


@dataclasses.dataclass(frozen=True)
class Target:
    """One of these, by its path or as ``preset:NAME``.

    Args:
        path: the folder or file; of a preset the folder for what is made of it, ``runs/preset-NAME``.
        preset: its name; None of all others.
    """

    path: Path
    preset: str | None = None

    @classmethod
    def of(cls, text: str | os.PathLike) -> "Target":
        """What ``text`` names; ``InvalidInput`` if no file system could take it, or there is no such preset."""
        name = presets.name_of(text)
        if name is None:
            return cls(check_name(text))
        presets.card(name)
        return cls(Path("runs") / f"preset-{name}", name)

    @property
    def is_artifact(self) -> bool:
        """Whether it is an exported artifact."""
        return self.preset is None and (self.path / "manifest.json").is_file()

    @functools.cached_property
    def record(self) -> Mapping[str, Any] | None:
        """The ``recipe.json`` of the run that it is or comes from; None of an artifact that lies in no run."""
        if self.preset is not None:
            return presets.card(self.preset)["run"]
        run = self._run
        return read_recipe(run) if not self.is_artifact or (run / RECORD).is_file() else None

    @property
    def _run(self) -> Path:
        return self.path.resolve().parent if self.is_artifact else self.path

    @property
    def recipe(self) -> Recipe | None:
        """The run's recipe; None where there is no run."""
        return build(self.record["recipe"], self.record["settings"]) if self.record else None

    @property
    def name(self) -> str:
        """How a report calls it."""
        return self.record["recipe"] if self.record else self.path.resolve().name

    @property
    def report_folder(self) -> Path:
        """Where its report goes, unless told otherwise: into the run, beside the artifact."""
        whole = self.path.resolve()
        return whole.with_name(f"{whole.name}-report") if self.is_artifact else self.path

    @property
    def artifact_folder(self) -> Path:
        """Where its artifact goes, unless told otherwise; a file by itself has no such place."""
        if self.preset is None and not self.path.is_dir():
            raise InvalidInput(f"{self.path} is no run folder; say where the artifact goes with --out.")
        return self.path / ARTIFACT

    def opened(self) -> Any:
        """The model, or the artifact, ready to be sampled."""
        if self.is_artifact:
            from keras_gen.exporters.loaded_artifact import LoadedArtifact

            return LoadedArtifact(self.path)
        from keras_gen.loading import load

        return load(self.path if self.preset is None else f"{presets.PREFIX}{self.preset}")

    def about(self, data: str) -> dict[str, Any]:
        """How its model came to be, for a report on the data set ``data``."""
        if (record := self.record) is None:
            return {}
        if self.preset is not None:
            trained = presets.card(self.preset)["report"]
        else:
            from keras_gen.training.history import read_history

            last = (read_history(self._run / "history.jsonl") or [{}])[-1]
            trained = {"epochs": last.get("epoch"), "training_seconds": last.get("seconds")}
        # Published numbers are of the recipe's own data set; beside another one's they would mislead.
        published = self.recipe.published if data == self.recipe.default("data") else ()
        return {
            "recipe": record["recipe"],
            "settings": record["settings"],
            "command": record["command"],
            "epochs": trained["epochs"],
            "training_seconds": trained["training_seconds"],
            "published": [line._asdict() for line in published],
        }
