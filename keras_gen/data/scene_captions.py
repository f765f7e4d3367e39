"""Sentences that are true of a scene, from a small grammar."""

import numpy as np

from keras_gen.data.scenes import Scene, Thing, third_of

PER_SCENE = 5
LENGTH = 128  # characters; no sentence of the grammar is longer
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
# A lone thing's place by the thirds of the picture, rows from above.
PLACES = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)
WORDING = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above",),
    "below": ("below",),
    "inside": ("inside",),
    "surrounding": ("around",),
}


def captions_of(scene: Scene, relations: list[list[str | None]], generator: np.random.Generator) -> list[str]:
    """``PER_SCENE`` sentences of a scene, lower case; each names colour and shape of what it speaks of.

    The first says all there is to say of what it speaks of: size, texture, colour and shape, and place or relation.
    """
    if len(scene.things) == 1:
        return _of_one(scene.things[0], generator)
    return [_of_several(scene, relations, generator, whole=not number) for number in range(PER_SCENE)]


def named(thing: Thing, size: bool, texture: bool) -> str:
    """``"a small striped red circle"``: with its article, and with the words that are asked for."""
    words = [*([thing.size] if size else ()), *([thing.texture] if texture else ()), thing.colour, thing.shape]
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"


def _of_one(thing: Thing, generator: np.random.Generator) -> list[str]:
    place = PLACES[third_of(thing.y)][third_of(thing.x)]
    told = named(thing, True, True)
    size, texture = (bool(each) for each in generator.integers(0, 2, 2))
    return [
        f"{told} {place}",
        f"there is {named(thing, size, not size)} {place}",
        f"{place} is {named(thing, True, texture)}",
        told if texture else f"this picture shows {told}",
        f"{named(thing, not texture, texture)} {place}",
    ]


def _of_several(scene: Scene, relations: list[list[str | None]], generator: np.random.Generator, whole: bool) -> str:
    count = len(scene.things)
    first, second = generator.permutation(count)[:2]
    draws = generator.integers(0, 2, 6)
    one, other = (
        named(scene.things[number], whole or bool(draws[place]), whole or bool(draws[place + 1]))
        for number, place in ((first, 0), (second, 2))
    )
    ways = WORDING[relations[first][second]]
    related = f"{one} {ways[draws[4] % len(ways)]} {other}"
    if generator.random() < 0.3 and not whole:
        return f"{NUMBERS[count]} shapes, {'among them ' if count > 2 else ''}{one} and {other}"
    return f"there is {related}" if draws[5] else related
