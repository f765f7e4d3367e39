"""Sentences as an input: text to characters at the border, and a fixed row of numbers everywhere within."""

import codecs
import difflib
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Input, as_array

# The 70 characters of Zhang et al. 2015, in the order of Reed et al. 2016's code, which numbers "-" twice: the later one counts.
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
NUMBERS = {character: number for number, character in enumerate(ALPHABET, start=1)}  # 0: nothing, or none of these
LENGTH = 201  # of Reed et al. 2016
# What may stand round a word and is none of it.
PUNCTUATION = ".,;:!?'\"()[]{}"
MOST_WORDS = 50_000
_BYTES = bytes(NUMBERS.get(chr(code), 0) for code in range(256))
_LETTERS = b"\xff" + ALPHABET.encode().ljust(255, b"\xff")
_ZEROS = "keras_gen.zeros"
codecs.register_error(_ZEROS, lambda error: ("\0" * (error.end - error.start), error.end))


def characters(texts: Sequence[str], length: int) -> np.ndarray:
    """Numbers of the characters, 1 to 70, upper case as lower; 0 behind the text's end, and for what the alphabet lacks.

    Longer texts are cut, as in Reed et al. 2016. uint8 ``[n, length]``.
    """
    known = (text.lower()[:length].encode("ascii", _ZEROS).translate(_BYTES).ljust(length, b"\0") for text in texts)
    rows = b"".join(known)
    return np.frombuffer(rows, np.uint8).reshape(len(texts), length)


def sentences_of(numbers: np.ndarray) -> list[str]:
    """The sentences of rows of ``characters``, lower case; ``"\ufffd"`` for what the alphabet lacked."""
    return [_text(row.tobytes()) for row in np.asarray(numbers, np.uint8)]


def _text(row: bytes) -> str:
    return row.rstrip(b"\0").translate(_LETTERS).decode("latin-1").replace("\xff", "\ufffd")


def words_of(text: str) -> list[str]:
    """Its words, lower case, without the punctuation round them."""
    return [word for each in text.lower().split() if (word := each.strip(PUNCTUATION))]


def vocabulary_of(numbers: np.ndarray) -> tuple[str, ...]:
    """All words of rows of ``characters`` ``[..., length]``, but for those with other letters, by the alphabet.

    The last word of a full row is left out: it may have been cut.
    """
    found: set[str] = set()
    flat = np.ascontiguousarray(numbers, np.uint8).reshape(-1, np.shape(numbers)[-1])
    for row in {row.tobytes() for row in flat}:
        found.update(words_of(_text(row))[: -1 if row[-1] else None])
    return tuple(sorted(word for word in found if "\ufffd" not in word))


@dataclass(frozen=True)
class Caption(Input):
    """A condition: one sentence an example, as numbers of characters uint8 ``[length]``, 0 behind its end.

    A caller gives sentences, or rows of ``characters``. Sentences of other words than the vocabulary's are refused.

    Args:
        length: of a row: the longest sentence there can be.
        vocabulary: the words that are known, lower case; empty: any.
    """

    length: int
    vocabulary: tuple[str, ...] = ()
    kind: ClassVar[str] = "caption"
    dtype: ClassVar[str] = "uint8"
    range: ClassVar[tuple[int, int]] = (0, len(ALPHABET))

    def __post_init__(self):
        words = self.vocabulary
        good = isinstance(words, (tuple, list)) and len(words) <= MOST_WORDS
        if not good or not all(isinstance(word, str) and words_of(word) == [word] for word in words):
            raise InvalidInput(
                f"vocabulary={words!r:.80}; give a list of at most {MOST_WORDS:,} words, lower case, one each."
            )
        object.__setattr__(self, "vocabulary", tuple(words))

    @property
    def shape(self) -> tuple[int]:
        """``(length,)``."""
        return (self.length,)

    def read(self, name: str, values: Any) -> Any:
        """Sentences as rows of characters; what holds none as it is."""
        if isinstance(values, str):
            return self._row(name, values)
        texts = values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "UO" else values
        if isinstance(texts, (list, tuple)) and texts and all(isinstance(text, str) for text in texts):
            return np.stack([self._row(name, text) for text in texts])
        return values

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """uint8 ``[n, length]`` of a sentence for all, of ``n`` sentences, or of rows of characters.

        ``InvalidInput`` for an empty or overlong sentence, a word that is not known, or another number of sentences.
        """
        rows = as_array(name, self.read(name, values))
        if (
            rows.dtype.kind in "iu"
            and rows.ndim == 2
            and n is not None
            and len(rows) != n
            and rows.shape[1:] == self.shape
        ):
            raise InvalidInput(f"{name} holds {len(rows)} sentences for {n} images; give {n}, or one for all.")
        found = super().check(name, rows, n)
        if len(found) and (empty := ~found.any(axis=1)).any():
            raise InvalidInput(f"{name} {int(empty.argmax())} is empty; give a sentence.")
        return found

    def wanted(self, n: int | None) -> str:
        """What ``check`` takes, in words."""
        many = "sentences" if n is None else f"{n} sentences, or one for all"
        return f"{many}, or their characters [{'n' if n is None else n}, {self.length}] as integers in [0, {self.range[1]}]"

    def parse(self, name: str, text: str) -> str:
        """The sentence as it is."""
        return text

    def _row(self, name: str, text: str) -> np.ndarray:
        words = words_of(text)
        if not words:
            raise InvalidInput(f"{name}={text!r} is empty; give a sentence.")
        if len(text) > self.length:
            raise InvalidInput(
                f"{name} begins {text[:30]!r} and has {len(text)} characters; this model takes {self.length}: shorten it."
            )
        for word in words if self.vocabulary else ():
            if word not in self._known:
                raise InvalidInput(
                    f"{name} holds the word {word!r}, which is not known; {nearest(word, self.vocabulary)}."
                )
        row = characters([text], self.length)[0]
        if not row.any():
            raise InvalidInput(f"{name}={text!r} has no character of this alphabet: {ALPHABET}")
        return row

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.vocabulary)

    def describe(self) -> dict[str, Any]:
        """Its entry in a manifest: alphabet and vocabulary too, so that a program without this kind can take a sentence."""
        return {**super().describe(), "alphabet": ALPHABET, "vocabulary": list(self.vocabulary)}

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Caption":
        """The kind that an entry describes."""
        return cls(entry["shape"][1], tuple(entry["vocabulary"]))

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Three random words each: ``[n, length]``."""
        words = [word for word in self.vocabulary if 3 * len(word) + 2 <= self.length] or ["red", "tan", "big"]
        chosen = generator.integers(0, len(words), (n, 3))
        return characters([" ".join(words[place] for place in row) for row in chosen], self.length)


def nearest(word: str, known: Iterable[str]) -> str:
    """What to write in place of a word that is unknown, in words."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return f"the nearest is {near[0]!r}. Known are {shown}" if near else f"known are {shown}"
