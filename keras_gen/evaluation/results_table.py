"""The table of measured numbers, made from report files: nothing in it is typed by hand."""

import math
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.console import Console
from rich.table import Table

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import (
    check_file,
    check_folder,
    check_name,
    read_json,
    read_text,
    write_json,
    written_beside,
)
from keras_gen.core.pictures import PNG

PICTURES = ("samples", "real_and_fake", "nearest", "completions", "interpolation", "reconstructions", "manifold")
PLAIN = ("fraction", "ratio", "distance", "score")  # units that a number is read without
MOST_DIGITS = 6  # after the point
TITLE = "# Results"


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


class ShownReport(_Strict):
    """What the terminal's table reads of a report."""

    schema_: Literal["keras_gen/report/1"] = Field(alias="schema")
    recipe: str | None = Field(None, pattern=r"^\w[\w.-]*$")  # files are called by it
    model: _Named
    metrics: list[_Metric]
    published: list[_Published] = []


class _KeptModel(_Named):
    class_: str = Field(alias="class")
    parameters: int


class _KeptData(_Named):
    train: int
    test: int


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


def read_report(run: str | os.PathLike) -> dict[str, Any]:
    """The ``report.json`` of a run folder."""
    path = Path(run) / "report.json"
    if not path.is_file():
        raise InvalidInput(f"{run} has no report.json; run 'keras-gen evaluate {run}' first.")
    return _checked(path, ShownReport)


def _checked(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    """The report of a file, whose fields are what the table is going to read; ``InvalidInput`` names the first that is not."""
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


def rows(report: dict[str, Any]) -> Iterable[tuple[str, str, str, str]]:
    """(metric, value with its error or interval, published value, its source) of each metric."""
    for metric in report["metrics"]:
        error = metric.get("stderr")
        value = _written(metric["value"], error)
        value += " [{:.4g}, {:.4g}]".format(*metric["interval"]) if metric.get("interval") else ""
        unit = f" {metric['unit']}" if metric["unit"] not in PLAIN else ""
        # What as many real images of another split score: the ceiling at this sample size; RESULTS.md says so.
        ceiling = metric.get("real_images_score")
        unit += "" if ceiling is None else f" (real {ceiling:.2g})"
        published = [line for line in report.get("published", []) if metric["name"].startswith(line["metric"])]
        values, sources = ("; ".join(str(line[key]) for line in published) for key in ("value", "source"))
        yield metric["name"], value + unit, values, sources


def _written(value: float | None, error: float | None) -> str:
    """The number with as many digits as its standard error deserves."""
    if value is None:
        return "none"
    if error is None:
        return f"{value:.4g}"
    digits = 2 if error >= 0.01 else min(MOST_DIGITS, max(4, 1 - math.floor(math.log10(error)))) if error > 0 else 4
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def print_table(reports: Sequence[dict[str, Any]]) -> None:
    """The reports' metrics on the terminal, a table each."""
    for report in reports:
        lines = [line[:3] for line in rows(report)]
        # Where nothing is published, the column would only take the others' room.
        shown = 3 if any(line[2] for line in lines) else 2
        table = Table(title=report.get("recipe", report["model"]["name"]), title_justify="left")
        for heading in ("metric", "measured", "published")[:shown]:
            table.add_column(heading, overflow="fold")
        for line in lines:
            table.add_row(*line[:shown])
        Console().print(table)


def update(runs: Sequence[str | os.PathLike], folder: str | os.PathLike | None, out: str | os.PathLike | None) -> None:
    """Prints the runs' table; keeps their reports and pictures in ``folder``; writes its Markdown table to ``out``."""
    runs = [check_name(run) for run in runs]
    reports = [read_report(run) for run in runs]
    if out is not None:
        if folder is None:
            raise InvalidInput("--out writes the table of the reports in --folder; give that folder too.")
        check_file(out, begins=TITLE.encode())
    if folder is not None:
        folder = check_folder(folder)
        kept_reports(folder)  # what is there already is ours: nothing else is written over
        reports = [_checked(run / "report.json", KeptReport) for run in runs]
    if reports:
        print_table(reports)
    for run, report in zip(runs, reports):
        if folder is not None:
            _keep(run, report, folder)
    if out is not None:
        with written_beside(out) as beside:
            beside.write_text(markdown(folder, os.path.relpath(folder, Path(out).parent)), encoding="utf-8")


def kept_reports(folder: Path) -> list[dict[str, Any]]:
    """The reports kept in ``folder``; any other JSON file there is an ``InvalidInput``."""
    return [_checked(path, KeptReport) for path in sorted(folder.glob("*.json"))]


def _keep(run: Path, report: dict[str, Any], folder: Path) -> None:
    name = report["recipe"]
    for key in ("curves", *PICTURES):
        check_file(folder / f"{name}-{key}.png", begins=PNG)
    write_json(folder / f"{name}.json", {key: value for key, value in report.items() if key != "history"})
    pictures = {"curves": run / "curves.png", **{key: run / "pictures" / f"{key}.png" for key in PICTURES}}
    for key, picture in pictures.items():
        if picture.is_file():
            with written_beside(folder / f"{name}-{key}.png") as beside:
                shutil.copyfile(picture, beside)


def markdown(folder: Path, link: str) -> str:
    """The reports kept in ``folder``: a table, then for each run how it was made, ``<recipe>.md`` if there is one (what
    fell short and why, in a person's words) and its pictures, linked as below ``link``."""
    reports = kept_reports(folder)
    lines = [
        TITLE,
        "",
        "Written by `keras-gen results --folder results --out RESULTS.md` from the report files in `results/`; a metric's",
        "name carries its protocol (sample count, split, feature space). Numbers of other protocols do not compare. `±` is",
        "the standard error, `[ ]` a 95 % interval; `real` is what as many real images of another split score: the ceiling at",
        "this sample size.",
        "",
        "| recipe | data | metric | measured | published | source |",
        "|---|---|---|---|---|---|",
    ]
    for report in reports:
        lines += [f"| {report['recipe']} | {report['data']['name']} | {' | '.join(row)} |" for row in rows(report)]
    for report in reports:
        lines += ["", f"## {report['recipe']}", "", *_how_it_was_made(report), ""]
        lines += _notes_and_pictures(report["recipe"], folder, link)
    return "\n".join(lines) + "\n"


def _how_it_was_made(report: dict[str, Any]) -> list[str]:
    """Model, data, command, seed, times and hardware, in a sentence."""
    model, data, versions = report["model"], report["data"], report["versions"]
    spent = {"training": report.get("training_seconds"), "measuring": report.get("seconds")}
    minutes = " and ".join(f"{seconds / 60:.1f} min of {what}" for what, seconds in spent.items() if seconds)
    lines = [
        f"`{report['command']}`: {model['class']} of {model['parameters']:,} weights on {data['name']} ({data['train']:,} "
        f"training and {data['test']:,} test images),",
        f"{report['epochs']} epochs, {minutes} on {report['hardware']}; seed {report['seed']}; keras {versions['keras']}, "
        f"tensorflow {versions['tensorflow']}.",
    ]
    if preset := report.get("preset"):
        lines.append(
            f"Measured as it ships: `preset:{preset['name']}`, {preset['bytes'] / 1e6:.2f} MB, kernels rounded to bfloat16."
        )
    return lines


def _notes_and_pictures(name: str, folder: Path, link: str) -> list[str]:
    notes = folder / f"{name}.md"
    lines = [read_text(notes).strip(), ""] if notes.is_file() else []
    drawn = [key for key in ("samples", "curves") if (folder / f"{name}-{key}.png").is_file()]
    return lines + [f"![{key} of {name}]({link}/{name}-{key}.png)" for key in drawn]
