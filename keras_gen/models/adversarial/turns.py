"""When each player moves."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput

ORDERS = ("discriminator_first", "simultaneous", "generator_first")


@dataclasses.dataclass(frozen=True)
class CriticSchedule:
    """Arjovsky et al. 2017's code: ``steps`` critic turns before the generator's ``first`` steps and every ``every``-th."""

    usual: int
    steps: int
    first: int = 0
    every: int | None = None

    @classmethod
    def from_any(cls, given: Mapping[str, int], usual: int) -> "CriticSchedule":
        """The schedule of ``{"steps": 100, "first": 25, "every": 500}`` for ``usual`` turns at all other steps."""
        if not isinstance(given, Mapping) or "steps" not in given or set(given) - {"steps", "first", "every"}:
            raise InvalidInput(f"critic_schedule={given!r}; give {{'steps': turns, 'first': steps, 'every': steps}}.")
        steps = integer("critic_schedule's steps", given["steps"], usual)
        if steps % usual:
            raise InvalidInput(f"critic_schedule's steps={steps} is no multiple of critic_steps={usual}; give one.")
        every = given.get("every")
        first = integer("critic_schedule's first", given.get("first", 0), 0)
        return cls(usual, steps, first, None if every is None else integer("critic_schedule's every", every, 1))

    def get_config(self) -> dict[str, int | None]:
        """What ``from_any`` takes."""
        return {"steps": self.steps, "first": self.first, "every": self.every}

    def turns(self, generator_step: int) -> int:
        """Critic turns before the generator's step of this number, counted from 0."""
        long = generator_step < self.first or (self.every and generator_step % self.every == 0)
        return self.steps if long else self.usual

    def turns_through(self, generator_step: int) -> int:
        """The sum of ``turns`` from step 0 to this one."""
        count = generator_step + 1
        long = min(count, self.first)
        if self.every and count > self.first:
            long += -(-count // self.every) - -(-self.first // self.every)
        return count * self.usual + long * (self.steps - self.usual)

    def generator_due(self, generator_steps: int, critic_turns: int) -> bool:
        """Whether the generator, which has moved ``generator_steps`` times, moves in the coming step of ``usual`` turns.

        Both counts are the optimizers' own, so that nothing has to be saved for a resumed run to go on in mid-schedule.
        """
        return critic_turns + self.usual >= self.turns_through(generator_steps)


class CompiledPhases:
    """A training function that asks the host which kind of step comes next and keeps one compiled function for each."""

    def __init__(self, phase: Callable[[], Hashable], make: Callable[[], Callable], steps_per_execution: int = 1):
        if steps_per_execution > 1:
            raise InvalidInput(
                "steps_per_execution > 1 cannot follow steps that differ (critic_schedule, growth); leave it out."
            )
        self.phase, self.make = phase, make
        self.functions: dict[Hashable, Callable] = {}

    def __call__(self, data: Any) -> Any:
        """One step."""
        phase = self.phase()
        if phase not in self.functions:
            self.functions[phase] = self.make()
        return self.functions[phase](data)
