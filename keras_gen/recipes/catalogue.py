"""The table of recipes that ``keras-gen list`` prints. Loads every recipe's class, and neither TensorFlow nor Keras."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from keras_gen import presets
from keras_gen.recipes import RECIPES
from keras_gen.recipes.recipe import Recipe, class_of, documentation

NARROWEST = 28  # of a column of sentences, in characters


class Column(NamedTuple):
    """One column: what it says of a recipe, by its name and class, and whether that may go on over several lines."""

    heading: str
    text: Callable[[str, type[Recipe]], str]
    breaks: bool = False


def _expected(name: str, kind: type[Recipe]) -> str:
    """The number to expect; of a recipe that this project never ran whole, the paper's."""
    published = next((f"{line.metric} {line.value:g} (paper)" for line in kind.published), "")
    return str(kind.expected or published)


def _preset(name: str, kind: type[Recipe]) -> str:
    """The size of the preset of the recipe's name."""
    return f"{presets.card(name)['bytes'] / 1e6:.1f} MB" if name in presets.names() else ""


COLUMNS = (
    Column("recipe", lambda name, kind: name),
    Column("what", lambda name, kind: next(iter(documentation(name).splitlines()), "").rstrip("."), breaks=True),
    Column("cost", lambda name, kind: str(kind.cost or "")),
    Column("expect", _expected),
    Column("preset", _preset),
)


def families() -> Iterator[tuple[str, list[str]]]:
    """The families of models, and the names of their recipes; both by the alphabet."""
    for family, names in groupby(sorted(RECIPES, key=lambda name: (class_of(name).family, name)), _family):
        yield family, list(names)


def _family(name: str) -> str:
    return class_of(name).family


def _stacked(columns: Sequence[Column]) -> Column:
    """Several columns in one, below each other."""
    return Column(
        ", ".join(column.heading for column in columns),
        lambda name, kind: "\n".join(filter(None, (column.text(name, kind) for column in columns))),
    )


def table(columns: Sequence[Column]) -> Table:
    """A section a family, a line a recipe."""
    lines = {name: [column.text(name, class_of(name)) for column in columns] for name in RECIPES}
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for column, texts in zip(columns, zip(*lines.values())):
        widest = max(len(line) for text in (column.heading, *texts) for line in text.splitlines() or [""])
        made.add_column(column.heading, no_wrap=not column.breaks, min_width=NARROWEST if column.breaks else widest)
    for family, names in families():
        made.add_row()
        made.add_row(family, style="bold")
        for name in names:
            made.add_row(*lines[name])
    return made


def show() -> None:
    """Prints the table: as wide as the terminal, on a narrow one with the numbers below each other; into a pipe a line each."""
    console = Console(highlight=False, markup=False, emoji=False)
    recipes = table(COLUMNS)
    if console.is_terminal:
        fits = console.measure(recipes, options=console.options.update(max_width=10_000)).minimum <= console.width
        console.print(recipes if fits else table((*COLUMNS[:2], _stacked(COLUMNS[2:]))))
        return
    console.width = console.measure(recipes, options=console.options.update(max_width=10_000)).maximum
    with console.capture() as captured:
        console.print(recipes)
    for line in captured.get().splitlines():
        print(line.rstrip())
