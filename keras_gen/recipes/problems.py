"""pydantic's errors in the project's words: what came, what was wanted, what to do."""

import difflib
from collections.abc import Iterable
from typing import Any

import pydantic

# By pydantic's name of the error; the braces are its context.
WANTED = {
    "int_parsing": "give a valid integer",
    "int_type": "give a valid integer",
    "int_from_float": "give a valid integer",
    "int_parsing_size": "give a valid integer of fewer digits",
    "float_parsing": "give a number",
    "float_type": "give a number",
    "finite_number": "give a finite number",
    "no_boolean": "give a number",
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
    "string_type": "give a text",
    "greater_than": "give a number greater than {gt}",
    "greater_than_equal": "give a number of at least {ge}",
    "less_than": "give a number less than {lt}",
    "less_than_equal": "give a number of at most {le}",
    "literal_error": "give {expected}",
    "missing": "give it a value",
}


def described(error: pydantic.ValidationError, recipe: str, fields: Iterable[str]) -> str:
    """One text of all that is wrong with the settings of ``recipe``; ``fields`` are those that it has."""
    problems = error.errors(include_url=False)
    unknown = [str(problem["loc"][0]) for problem in problems if problem["type"] == "extra_forbidden"]
    texts = [_unknown(recipe, unknown, list(fields))] if unknown else []
    # Alternatives of one setting (a number or a text) complain one by one: the first says enough.
    first = {problem["loc"][:1]: problem for problem in reversed(problems) if problem["type"] != "extra_forbidden"}
    texts += [_unfit(recipe, problem) for problem in reversed(first.values())]
    return " ".join(texts)


def _unknown(recipe: str, keys: list[str], fields: list[str]) -> str:
    near = [match for key in keys for match in difflib.get_close_matches(key, fields, n=2)]
    hint = f" Did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?" if near else ""
    named = ", ".join(map(repr, keys))
    return f"Recipe {recipe!r} has no setting {named}.{hint} It has: {', '.join(fields)}."


def _unfit(recipe: str, problem: dict[str, Any]) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "value_error":  # said by one of our own validators
        wanted = str(context["error"]).rstrip(".")
    else:
        wanted = WANTED[problem["type"]].format(**context) if problem["type"] in WANTED else problem["msg"]
    if not problem["loc"]:
        return f"The settings do not fit recipe {recipe!r}: {wanted}."
    key = problem["loc"][0]
    given = key if problem["type"] == "missing" else f"{key}={problem['input']!r}"
    return f"{given} does not fit recipe {recipe!r}: {wanted}."
