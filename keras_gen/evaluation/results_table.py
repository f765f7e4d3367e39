"""The table of measured numbers, made from report files: nothing in it is typed by hand."""

import math
import os
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import check_file, check_folder, check_name, read_text, written_beside
from keras_gen.evaluation.kept_reports import KeptReport, by_recipe, keep, kept_reports, read_report, seed_of

PLAIN = ("fraction", "ratio", "distance", "score")  # units that a number is read without
MOST_DIGITS = 6  # after the point
TITLE = "# Results"


def rows(report: dict[str, Any]) -> Iterable[tuple[str, str, str, str]]:
    """(metric, value with its error or interval, published value, its source) of each metric."""
    for metric in report["metrics"]:
        # What as many real images of another split score: the ceiling at this sample size; RESULTS.md says so.
        ceiling = metric.get("real_images_score")
        ceiling = "" if ceiling is None else f" (real {ceiling:.2g})"
        published = [line for line in report.get("published", []) if metric["name"].startswith(line["metric"])]
        values, sources = ("; ".join(str(line[key]) for line in published) for key in ("value", "source"))
        yield metric["name"], _measured(metric) + ceiling, values, sources


def _measured(metric: dict[str, Any]) -> str:
    value = _written(metric["value"], metric.get("stderr"))
    value += " [{:.4g}, {:.4g}]".format(*metric["interval"]) if metric.get("interval") else ""
    value += f" over {metric['seeds']} seeds" if metric.get("seeds") else ""
    return value + (f" {metric['unit']}" if metric["unit"] not in PLAIN else "")


def _written(value: float | None, error: float | None) -> str:
    """The number with as many digits as its standard error deserves."""
    if value is None:
        return "none"
    if error is None:
        return f"{value:.4g}"
    digits = 2 if error >= 0.01 else min(MOST_DIGITS, max(4, 1 - math.floor(math.log10(error)))) if error > 0 else 4
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def over_seeds(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first report with each metric's mean over all that measured it and, as its ``stderr``, their sample standard
    deviation; of one report, itself.
    """
    if len(reports) == 1:
        return reports[0]
    metrics = []
    for name in dict.fromkeys(metric["name"] for report in reports for metric in report["metrics"]):
        found = [metric for report in reports for metric in report["metrics"] if metric["name"] == name]
        numbers = [metric["value"] for metric in found if metric["value"] is not None]
        if len(numbers) < 2:
            metrics.append(found[0] if not numbers else next(m for m in found if m["value"] is not None))
            continue
        ceilings = [metric["real_images_score"] for metric in found if metric.get("real_images_score") is not None]
        line = {"value": statistics.fmean(numbers), "stderr": statistics.stdev(numbers), "seeds": len(numbers)}
        ceiling = {"real_images_score": statistics.fmean(ceilings)} if ceilings else {}
        metrics.append({"name": name, "unit": found[0]["unit"], **line, **ceiling})
    return {**reports[0], "metrics": metrics}


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
    """Prints the runs' tables; keeps their reports and pictures in ``folder``; writes its Markdown table to ``out``."""
    runs = [check_name(run) for run in runs]
    reports = [read_report(run) for run in runs]
    if out is not None:
        if folder is None:
            raise InvalidInput("--out writes the table of the reports in --folder; give that folder too.")
        check_file(out, begins=TITLE.encode())
    if folder is not None:
        folder = check_folder(folder)
        kept_reports(folder)  # what is there already is ours: nothing else is written over
        reports = [read_report(run, KeptReport) for run in runs]
        keep(runs, reports, folder)
    if reports:
        print_table(reports)
    if out is not None:
        with written_beside(out) as beside:
            beside.write_text(markdown(folder, os.path.relpath(folder, Path(out).parent)), encoding="utf-8")


def markdown(folder: Path, link: str) -> str:
    """The reports kept in ``folder``: a table, then for each recipe how its runs were made, ``<recipe>.md`` if there is one
    (what fell short and why, in a person's words) and its pictures, linked as below ``link``."""
    recipes = by_recipe(list(kept_reports(folder).values()))
    lines = [
        TITLE,
        "",
        "Written by `keras-gen results --folder results --out RESULTS.md` from the report files in `results/`; a metric's",
        "name carries its protocol (sample count, split, feature space). Numbers of other protocols do not compare. `±` is",
        "the standard error or, of a mean `over n seeds`, the sample standard deviation of the n trainings' numbers; `[ ]` is a",
        "95 % interval; `real` is what as many real images of another split score: the ceiling at this sample size.",
        "",
        "| recipe | data | metric | measured | published | source |",
        "|---|---|---|---|---|---|",
    ]
    for name, reports in recipes.items():
        lines += [f"| {name} | {reports[0]['data']['name']} | {' | '.join(row)} |" for row in rows(over_seeds(reports))]
    for name, reports in recipes.items():
        lines += ["", f"## {name}", "", *_how_it_was_made(reports[0]), *_published_otherwise(reports[0])]
        lines += [*_each_seed(reports), "", *_notes_and_pictures(name, folder, link)]
    return "\n".join(lines) + "\n"


def _how_it_was_made(report: dict[str, Any]) -> list[str]:
    """Model, data, command, seed, times and hardware, in a sentence."""
    model, data, versions = report["model"], report["data"], report["versions"]
    spent = {"training": report.get("training_seconds"), "measuring": report.get("seconds")}
    minutes = " and ".join(f"{seconds / 60:.1f} min of {what}" for what, seconds in spent.items() if seconds)
    trained = seed_of(report)
    seed = f"{report['seed']}" if trained in (None, report["seed"]) else f"{trained}, measured with {report['seed']}"
    lines = [
        f"`{report['command']}`: {model['class']} of {model['parameters']:,} weights on {data['name']} ({data['train']:,} "
        f"training and {data['test']:,} test images),",
        f"{report['epochs']} epochs, {minutes} on {report['hardware']}; seed {seed}; keras {versions['keras']}, "
        f"tensorflow {versions['tensorflow']}.",
    ]
    if preset := report.get("preset"):
        lines.append(
            f"Measured as it ships: `preset:{preset['name']}`, {preset['bytes'] / 1e6:.2f} MB, kernels rounded to bfloat16."
        )
    return lines


def _published_otherwise(report: dict[str, Any]) -> list[str]:
    """Published numbers that no measured line is of: shown for orientation, since they do not compare."""
    names = [metric["name"] for metric in report["metrics"]]
    others = [line for line in report.get("published", []) if not any(n.startswith(line["metric"]) for n in names)]
    shown = "; ".join(f"{line['metric']} {line['value']} ({line['source']})" for line in others)
    return [f"Published by another protocol, which no number above compares with: {shown}."] if others else []


def _each_seed(reports: Sequence[dict[str, Any]]) -> list[str]:
    """What the runs of several seeds measured, a column each; pictures and notes are those of the first."""
    if len(reports) == 1:
        return []
    seeds = [f"seed {seed_of(report)}" for report in reports]
    minutes = [f"{report['training_seconds'] / 60:.1f}" for report in reports if report.get("training_seconds")]
    spent = f" ({', '.join(minutes)} min of training)" if len(minutes) == len(reports) else ""
    lines = ["", f"Each training by itself{spent}:", ""]
    lines += [f"| metric | {' | '.join(seeds)} |", "|---" * (1 + len(seeds)) + "|"]
    for name in dict.fromkeys(metric["name"] for report in reports for metric in report["metrics"]):
        cells = [next((_measured(m) for m in each["metrics"] if m["name"] == name), "") for each in reports]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _notes_and_pictures(name: str, folder: Path, link: str) -> list[str]:
    notes = folder / f"{name}.md"
    lines = [read_text(notes).strip(), ""] if notes.is_file() else []
    # Of what a model was given beside what it made of it, where there is such a picture.
    firsts = [
        key
        for key in ("translations", "captions", "transfers", "layouts", "samples")
        if (folder / f"{name}-{key}.png").is_file()
    ]
    drawn = [*firsts[:1], *(key for key in ("curves",) if (folder / f"{name}-{key}.png").is_file())]
    return lines + [f"![{key} of {name}]({link}/{name}-{key}.png)" for key in drawn]
