"""Report files: what is read of them, and those of measured runs kept in one folder, one a recipe and seed.

``<recipe>.json`` is of the lowest seed and has that run's pictures beside it (but for its curves none of data that are not
redistributable); ``<recipe>-seed<N>.json`` are the others.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import check_file, read_json, write_json, written_beside
from keras_gen.core.pictures import PNG

PICTURES = (
    "samples",
    "real_and_fake",
    "nearest",
    "completions",
    "interpolation",
    "reconstructions",
    "manifold",
    "traversals",
    "latent_kl",
    "temperatures",
    "truncations",
    "translations",
    "drawings",
    "translations_ba",
    "cycles",
    "captions",
    "caption_walks",
    "transfers",
    "graphs",
    "layouts",
)
Report = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)  # what is read is the file's own value, not pydantic's


class _Metric(_Strict):
    name: str
    value: float | None
    unit: str
    stderr: float | None = None
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    real_images_score: float | None = None


class _Published(_Strict):
    metric: str
    value: Any
    source: str


class _Named(_Strict):
    name: str


class _Settings(_Strict):
    seed: int


class ShownReport(_Strict):
    """What the terminal's table reads of a report."""

    schema_: Literal["keras_gen/report/1"] = Field(alias="schema")
    recipe: str | None = Field(None, pattern=r"^\w[\w.-]*$")  # files are called by it
    settings: _Settings | None = None
    model: _Named
    metrics: list[_Metric]
    published: list[_Published] = []


class _KeptModel(_Named):
    class_: str = Field(alias="class")
    parameters: int


class _KeptData(_Named):
    train: int
    test: int
    redistributable: bool = True  # said where it is not


class _KeptVersions(_Strict):
    keras: str
    tensorflow: str


class KeptReport(ShownReport):
    """What RESULTS.md tells of a run beside its numbers; the report of an artifact that lies in no run has not all of it."""

    recipe: str = Field(pattern=r"^\w[\w.-]*$")
    model: _KeptModel
    data: _KeptData
    versions: _KeptVersions
    command: str
    epochs: int | None
    training_seconds: float | None = None
    seconds: float | None = None
    seed: int
    hardware: str


class _Record(_Strict):
    """What is read of a run's ``recipe.json``."""

    settings: _Settings


def read_report(run: str | os.PathLike, kind: type[BaseModel] = ShownReport) -> Report:
    """The ``report.json`` of a run folder, with the ``settings`` of the ``recipe.json`` beside it, if there is one."""
    path, record = Path(run) / "report.json", Path(run) / "recipe.json"
    if not path.is_file():
        raise InvalidInput(f"{run} has no report.json; run 'keras-gen evaluate {run}' first.")
    report = checked(path, kind)
    return {**report, "settings": checked(record, _Record)["settings"]} if record.is_file() else report


def checked(path: Path, kind: type[BaseModel]) -> Report:
    """The content of a file, whose fields are what the table is going to read; ``InvalidInput`` names the first that is not."""
    report = read_json(path, "measure the run again with 'keras-gen evaluate'")
    try:
        kind.model_validate(report)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"])) or "it"
        raise InvalidInput(
            f"{path} is no report that can be kept here: {field}: {problem['msg']}. Measure the run again with "
            "'keras-gen evaluate', or move the file elsewhere."
        ) from error
    return report


def kept_reports(folder: Path) -> dict[Path, Report]:
    """The reports kept in ``folder``, by their files; any other JSON file there is an ``InvalidInput``."""
    return {path: checked(path, KeptReport) for path in sorted(folder.glob("*.json"))}


# --- seeds ----------------------------------------------------------------------------------------------------------


def seed_of(report: Report) -> int | None:
    """The seed that the run was trained with; None where the report does not say."""
    return (report.get("settings") or {}).get("seed")


def by_recipe(reports: Sequence[Report]) -> dict[str, list[Report]]:
    """The reports of each recipe, recipes by name, seeds from the lowest."""
    found: dict[str, dict[int | None, Report]] = {}
    for report in reports:
        # By seed: what a kill left between two writes of `keep` is twice there.
        found.setdefault(report["recipe"], {})[seed_of(report)] = report
    return {name: [one for _, one in sorted(found[name].items(), key=_by_seed)] for name in sorted(found)}


def _by_seed(entry: tuple[int | None, Any]) -> int:
    return -1 if entry[0] is None else entry[0]


def difference(one: Report, other: Report) -> str | None:
    """The first setting beside the seed in which two runs of a recipe differ, in words; None if there is none.

    A setting that one of them does not know is younger than that run, and as it would have been.
    """
    ours, theirs = ({**(report.get("settings") or {}), "seed": None} for report in (one, other))
    differing = (key for key in ours if key in theirs and ours[key] != theirs[key])
    return next((f"{key}={ours[key]!r} and {theirs[key]!r}" for key in differing), None)


class _Entry(NamedTuple):
    report: Report
    source: Path  # the run, or the file that holds it already


def keep(runs: Sequence[Path], reports: Sequence[Report], folder: Path) -> None:
    """Keeps the runs' reports in ``folder`` beside those there; each replaces the one of its own recipe and seed.

    ``InvalidInput``, before anything is written, where a recipe's reports differ in more than their seeds.
    """
    kept = kept_reports(folder)
    plans = []
    for name in dict.fromkeys(report["recipe"] for report in reports):
        new = [_Entry(report, run) for run, report in zip(runs, reports) if report["recipe"] == name]
        old = {path: report for path, report in kept.items() if report["recipe"] == name}
        plans.append((name, _placed(name, new, old, folder), old))
        for key in ("curves", *PICTURES):
            check_file(folder / f"{name}-{key}.png", begins=PNG)
        for path in plans[-1][1]:
            if path in kept and path not in old:
                raise InvalidInput(f"{path} is the report of recipe {kept[path]['recipe']!r}; choose another --folder.")
    for name, placed, old in plans:
        _write(name, placed, old, folder)


def _placed(name: str, new: Sequence[_Entry], old: dict[Path, Report], folder: Path) -> dict[Path, _Entry]:
    """Which file holds which report; the lowest seed's comes last, so that no report is nowhere if the writing ends early."""
    told = {seed_of(report): _Entry(report, path) for path, report in old.items()}
    given = {seed_of(entry.report): entry for entry in new}
    if len(given) < len(new):
        raise InvalidInput(
            f"Several runs of {name!r} are of one seed ({', '.join(str(entry.source) for entry in new)}); give one of each."
        )
    told.pop(None, None)  # a report that tells no seed is replaced by any
    if None in given and (told or len(given) > 1):
        raise InvalidInput(
            f"{given[None].source} does not say its seed (it has no recipe.json), and other runs of {name!r} are kept; give "
            "the run's own folder."
        )
    entries = [entry for _, entry in sorted({**told, **given}.items(), key=_by_seed)]
    for entry in entries[1:]:
        if found := difference(entries[0].report, entry.report):
            raise InvalidInput(
                f"{entries[0].source} and {entry.source} differ in more than their seeds ({found}), so their numbers have no "
                "mean; give runs of the same settings for all seeds, or remove the file of the other one."
            )
    first, *others = entries
    placed = {folder / f"{name}-seed{seed_of(entry.report)}.json": entry for entry in others}
    return {**placed, folder / f"{name}.json": first}


def _write(name: str, placed: dict[Path, _Entry], old: dict[Path, Report], folder: Path) -> None:
    for path, (report, source) in placed.items():
        if source != path:
            write_json(path, {key: value for key, value in report.items() if key != "history"})
    run = placed[folder / f"{name}.json"].source
    pictures = {"curves": run / "curves.png"}
    if placed[folder / f"{name}.json"].report["data"].get("redistributable", True):
        pictures |= {key: run / "pictures" / f"{key}.png" for key in PICTURES}
    for key, picture in pictures.items():
        if picture.is_file():
            with written_beside(folder / f"{name}-{key}.png") as beside:
                shutil.copyfile(picture, beside)
    for path in old.keys() - placed.keys():
        path.unlink()
