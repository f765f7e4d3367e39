"""What stands behind a data set's name: ``NAME:ARGUMENT?option=value&option=value``."""

import re
import urllib.parse
from collections.abc import Iterable, Mapping

from keras_gen.core.errors import InvalidInput


def own_options(argument: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The argument without the options called ``names``, and these; each may be given once."""
    before, _, query = argument.partition("?")
    pairs, own = urllib.parse.parse_qsl(query, keep_blank_values=True), {}
    for name, value in pairs:
        if name in own:
            raise InvalidInput(f"{argument!r} says {name}= twice; give it once.")
        if name in names:
            own[name] = value
    if not own:
        return argument, {}
    rest = urllib.parse.urlencode([pair for pair in pairs if pair[0] not in own], safe="/:,")
    return before + (f"?{rest}" if rest else ""), own


def only_options(
    what: str, argument: str, known: Mapping[str, str | None], wanted: str
) -> tuple[str, dict[str, str | None]]:
    """What stands before the options, and a value for each of those known: the one given, or its default.

    ``what`` takes them and ``wanted`` describes them, for the error of others.
    """
    before, _, query = argument.partition("?")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    options = {**known, **dict(pairs)}
    if len(options) > len(known) or len(dict(pairs)) < len(pairs) or (query and not pairs):
        raise InvalidInput(f"{what} got options {query!r}; known are {wanted}, each once.")
    return before, options


def positive(text: str, most: int) -> int | None:
    """An integer from 1 to ``most`` as people write it; None of anything else."""
    # isdigit() and int() know more digits than ASCII's: superscripts, other scripts'.
    return int(text) if re.fullmatch("[1-9][0-9]{0,3}", text) and int(text) <= most else None
