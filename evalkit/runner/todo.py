"""What a plan still has to do, sorted by what is safe: made, to be asked, to be followed up, or unknown.

It decides from the journal alone; carrying it out is for `evalkit.runner.execute`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evalkit.providers.base import Provider
from evalkit.runs import History, Plan, Step
from evalkit.types import Status

_STEPS = tuple(Step)
_OPEN = (Step.INTENT, Step.ACCEPTED, Step.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Item:
    """A trial to look at. `follow`: a job may exist, and nothing may be sent for it."""

    position: int
    follow: bool


@dataclass(slots=True)
class Todo:
    """Positions of trials in the plan. `ask` may be sent, by system, in order; `follow` must not be.

    `follow` are jobs that were accepted, and attempts whose end nobody knows; they come first, as an answer
    to them costs nothing.
    """

    ask: dict[int, array[int]] = field(default_factory=dict)
    follow: dict[int, array[int]] = field(default_factory=dict)
    made: Counter[Status] = field(default_factory=Counter)

    @property
    def systems(self) -> list[int]:
        """Indices of systems that have anything to do."""
        return sorted({*self.ask, *self.follow})

    def of(self, system: int) -> Iterator[Item]:
        """What there is to do for one system, in order."""
        for position in self.follow.get(system, ()):
            yield Item(position, follow=True)
        for position in self.ask.get(system, ()):
            yield Item(position, follow=False)

    def count(self, system: int) -> int:
        """How many trials of a system are to be looked at."""
        return len(self.ask.get(system, ())) + len(self.follow.get(system, ()))


def sort_out(
    plan: Plan, history: History, providers: Mapping[str, Provider], *, retry_failed: bool, resubmit: bool
) -> Todo:
    """Sort all trials of `plan`. `resubmit` sends again what may have been billed and is not found."""
    todo = Todo()
    replayable = [providers[system.name].replayable for system in plan.systems]
    for position, (system, code) in enumerate(zip(plan.trials.systems, history.steps, strict=True)):
        step = _STEPS[code]
        if replayable[system] and step in _OPEN:
            step = Step.NONE
        if step in (Step.NONE, Step.REJECTED) or (resubmit and step in (Step.INTENT, Step.UNKNOWN)):
            todo.ask.setdefault(system, array("I")).append(position)
        elif step in _OPEN:
            todo.follow.setdefault(system, array("I")).append(position)
        elif step is Step.FAILED and retry_failed:
            queue = todo.follow if position in history.jobs else todo.ask
            queue.setdefault(system, array("I")).append(position)
        else:
            todo.made[step.status or "failed"] += 1
    return todo
