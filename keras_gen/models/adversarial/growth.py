"""When a growing network grows: a pure function of how many images it was shown."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.networks.growing import SMALLEST

LARGEST = 1024
SETTINGS = {"start", "steady", "fade"}


class Place(NamedTuple):
    """Where in its growth a network is.

    ``stage``: images have ``4 * 2**stage`` pixels a side. ``fading``: its newest layers are coming in. ``fade``: their share,
    from 0 to 1.
    """

    stage: int
    fading: bool
    fade: float

    @property
    def phase(self) -> int:
        """The phases in order: 0 steady at 4 px, 1 to 8 px, 2 steady at 8 px ..."""
        return 2 * self.stage - self.fading

    @property
    def side(self) -> int:
        """Of the images, in pixels."""
        return SMALLEST << self.stage


@dataclasses.dataclass(frozen=True)
class GrowthSchedule:
    """Karras et al. 2018, appendix A.1: ``steady`` images at a size, then ``fade`` images while the next one comes, and so on.

    Args:
        side: the last images'.
        start: the first images'; ``side`` itself for networks that do not grow.
        steady, fade: images shown; one number, or one for each doubling.
    """

    side: int
    start: int = SMALLEST
    steady: tuple[int, ...] = (400_000,)
    fade: tuple[int, ...] = (400_000,)

    @classmethod
    def of(cls, spec: ImageSpec, given: Mapping[str, Any] | None = None) -> "GrowthSchedule":
        """The schedule of ``{"start": 4, "steady": 400_000, "fade": 400_000}``, all or some, up to images of ``spec``."""
        if isinstance(given, cls):
            given = given.get_config()
        if given is not None and (not isinstance(given, Mapping) or set(given) - SETTINGS):
            raise InvalidInput(f"schedule={given!r}; give {{'start': pixels, 'steady': images, 'fade': images}}.")
        given = given or {}
        sides = [SMALLEST << power for power in range((LARGEST // SMALLEST).bit_length())]
        if spec.height != spec.width or spec.height not in sides[1:]:
            nearest = min(sides[1:], key=lambda side: abs(side - max(spec.height, spec.width)))
            raise InvalidInput(
                f"{spec} do not grow from {SMALLEST}x{SMALLEST} by doubling; give images of {nearest}x{nearest} (data sets: "
                f"pad:NAME?size={nearest}), or another of {', '.join(map(str, sides[1:]))} pixels a side."
            )
        start = given.get("start", SMALLEST)
        if start not in (fitting := [side for side in sides if side <= spec.height]):
            raise InvalidInput(f"schedule's start={start!r}; give one of {', '.join(map(str, fitting))} pixels a side.")
        doublings = (spec.height // start).bit_length() - 1
        phases = {name: _each(name, given.get(name, getattr(cls, name)), doublings) for name in ("steady", "fade")}
        return cls(spec.height, int(start), **phases)

    def get_config(self) -> dict[str, Any]:
        """What ``of`` takes."""
        return {"start": self.start, "steady": list(self.steady), "fade": list(self.fade)}

    def up_to(self, side: int) -> "GrowthSchedule":
        """The same as far as images of this side."""
        count = max(0, (side // self.start).bit_length() - 1)
        return GrowthSchedule(side, min(self.start, side), self.steady[:count], self.fade[:count])

    @property
    def _first_stage(self) -> int:
        return (self.start // SMALLEST).bit_length() - 1

    @property
    def grown(self) -> int:
        """Images after which it has its full size."""
        return sum(self.steady) + sum(self.fade)

    def at(self, images: int) -> Place:
        """The place after so many images."""
        stage = self._first_stage
        for steady, fade in zip(self.steady, self.fade):
            if images < steady:
                break
            images -= steady
            if images < fade:
                return Place(stage + 1, True, images / fade)
            images -= fade
            stage += 1
        return Place(stage, False, 1.0)

    def table(self, images: int | None = None) -> str:
        """The phases, a line each; of a run of so many images, what of them it reaches."""
        side, first, lines = self.start, 0, []
        for steady, fade in zip(self.steady, self.fade):
            lines.append((first, first + steady, f"{side}x{side}"))
            lines.append((first + steady, first + steady + fade, f"{side}x{side} -> {2 * side}x{2 * side}, fading in"))
            side, first = 2 * side, first + steady + fade
        lines.append((first, None, f"{side}x{side}"))
        rows = [("from", "to", "images shown")]
        for begin, end, what in lines:
            if images is not None and begin >= images:
                what += "  (not reached)"
            elif images is not None and (end is None or end > images):
                end = images
            rows.append((f"{begin:,}", "" if end is None else f"{end:,}", what))
        return "\n".join(f"{begin:>12} {end:>12}  {what}" for begin, end, what in rows)


def _each(name: str, given: Any, doublings: int) -> tuple[int, ...]:
    """A number of images for each doubling."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if len(several) == 1:
        several = list(several) * doublings
    if len(several) != doublings:
        raise InvalidInput(
            f"schedule's {name}={given!r} for {doublings} doublings; give one number of images, or one for each."
        )
    return tuple(integer(f"schedule's {name}", each, 1) for each in several)
