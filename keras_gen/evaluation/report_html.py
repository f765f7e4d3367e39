"""A report as one HTML file: numbers, protocol and pictures, to be read anywhere and sent to anybody."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from keras_gen.core.files import written_beside
from keras_gen.evaluation.results_table import rows

TEMPLATE = "report.html.jinja"


def write_html(out: Path, report: Mapping[str, Any]) -> Path:
    """``<out>/report.html`` of the report, with the pictures (and ``curves.png``, if there) that lie in ``out`` inside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    pictures = [
        {"name": name, "shows": picture["shows"], "data": _inline(out / picture["file"])}
        for name, picture in report["pictures"].items()
    ]
    if (curves := out / "curves.png").is_file():
        pictures.append({"name": "curves", "shows": "training and validation, epoch by epoch", "data": _inline(curves)})
    lines = [
        {**metric, "shown": shown, "published": published, "source": source}
        for metric, (_, shown, published, source) in zip(report["metrics"], rows(report), strict=True)
    ]
    text = environment.get_template(TEMPLATE).render(report=report, lines=lines, pictures=pictures)
    with written_beside(out / "report.html") as beside:
        beside.write_text(text, encoding="utf-8")
    return out / "report.html"


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
