"""The table of recipes that ``keras-gen list`` prints. Loads every recipe's class, and neither TensorFlow nor Keras."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from keras_gen.recipes import RECIPES
from keras_gen.recipes.recipe import Recipe, class_of, documentation


class Column(NamedTuple):
    """One column: what it says of a recipe, by its name and class. Where lines break, ``breaks`` says: anywhere, or nowhere."""

    heading: str
    text: Callable[[str, type[Recipe]], str]
    breaks: bool = False


def _number(kind: type[Recipe]) -> str:
    """What to expect; of a recipe that never ran, what is published."""
    published = next((f"{line.metric} {line.value:g} (published)" for line in kind.published), "")
    return str(kind.expected or published)


COLUMNS = (
    Column("recipe", lambda name, kind: name),
    Column("what", lambda name, kind: next(iter(documentation(name).splitlines()), "").rstrip("."), breaks=True),
    Column("cost", lambda name, kind: str(kind.cost or "")),
    Column("expect", lambda name, kind: _number(kind)),
)


def families() -> Iterator[tuple[str, list[str]]]:
    """The families of models, and the names of their recipes; both by the alphabet."""
    for family, names in groupby(sorted(RECIPES, key=lambda name: (class_of(name).family, name)), _family):
        yield family, list(names)


def _family(name: str) -> str:
    return class_of(name).family


def table() -> Table:
    """A section a family, a line a recipe."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for column in COLUMNS:
        made.add_column(
            column.heading, no_wrap=not column.breaks, overflow="fold", min_width=12 if column.breaks else None
        )
    for family, names in families():
        made.add_row()
        made.add_row(family, style="bold")
        for name in names:
            made.add_row(*(column.text(name, class_of(name)) for column in COLUMNS))
    return made


def show() -> None:
    """Prints the table: as wide as the terminal allows; into a pipe, a line each."""
    console = Console(highlight=False)
    recipes = table()
    if console.is_terminal:
        console.print(recipes)
        return
    console.width = console.measure(recipes, options=console.options.update(max_width=10_000)).maximum
    with console.capture() as captured:
        console.print(recipes)
    for line in captured.get().splitlines():
        print(line.rstrip())
