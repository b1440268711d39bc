"""Raters of known taste, for demos, planning and tests.

They vote through the same service as people do, so their votes pass every check and end up in the same
files, marked `simulated`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from evalkit.errors import UnknownName, UsageError
from evalkit.store import Workspace
from evalkit.study.outcomes import Saved
from evalkit.study.service import Ballot, ServiceOptions, StudyService
from evalkit.types import Answer, Comparison

Utilities = Mapping[str, float]
BAD = -1.0
"""Two equally good pictures are called `both_bad` if their mean utility is below this."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Who votes, how often, and how much they differ. All widths are on the scale of the utilities.

    A picture is worth its system's utility, plus a deviation of `case_sd` that all raters share, plus one
    of `rater_sd` that a rater has for the system. Raters see the difference of two pictures with logistic
    noise of scale 1 (the Bradley-Terry model) and call it a tie if it is within `tie_width`.
    """

    raters: int = 12
    votes: int = 400
    seed: int = 0
    tie_width: float = 0.3
    rater_sd: float = 0.3
    case_sd: float = 0.3


def simulate_votes(
    workspace: Workspace,
    study: str,
    utilities: Utilities | Mapping[str, Utilities],
    panel: Panel = Panel(),
) -> int:
    """Let a panel cast up to `panel.votes` ballots and return how many it cast.

    `utilities` gives each system's worth, or that for each criterion. Fewer ballots are cast if every
    rater has seen every comparison. Raises `UsageError` and `UnknownName`.
    """
    if panel.raters < 1:
        raise UsageError("a panel needs at least one rater", "Use raters=1 or more.")
    options = ServiceOptions(durable=False, simulated=True)
    with StudyService(workspace, study, options) as service:
        taste = _Taste(_by_criterion(service, utilities), panel)
        return _poll(service, taste, panel)


def _by_criterion(
    service: StudyService, utilities: Utilities | Mapping[str, Utilities]
) -> dict[str, Utilities]:
    criteria = sorted({criterion.id for criterion in service.definition.criteria})
    nested = all(isinstance(value, Mapping) for value in utilities.values())
    table = {c: utilities.get(c, {}) if nested else utilities for c in criteria}
    for name in criteria:
        known = cast(Utilities, table[name])
        for system in service.definition.systems:
            if system not in known:
                raise UnknownName(f"utility for {name} of system", system, known)
    return cast(dict[str, Utilities], table)


def _poll(service: StudyService, taste: _Taste, panel: Panel) -> int:
    """Raters take turns until enough ballots are cast or nobody has any left."""
    names = [f"sim-{panel.seed}-{number:03d}" for number in range(panel.raters)]
    done = 0
    while done < panel.votes and names:
        for rater in list(names):
            if done == panel.votes:
                break
            ballots = service.next(rater)
            if not ballots:
                names.remove(rater)
                continue
            done += _cast(service, taste, rater, ballots[0])
    return done


def _cast(service: StudyService, taste: _Taste, rater: str, ballot: Ballot) -> int:
    comparison, left = service.reveal(ballot)
    answers = {c: taste.answer(c, rater, comparison, left) for c in ballot.criteria}
    outcome = service.vote(rater, ballot.ticket, answers, {"input": "api"})
    return int(isinstance(outcome, Saved))


class _Taste:
    """Draws answers. Deviations are a function of seed and names, so they never depend on the order."""

    def __init__(self, utilities: Mapping[str, Utilities], panel: Panel) -> None:
        self._utilities = utilities
        self._panel = panel
        self._rng = random.Random(f"{panel.seed}/answers")
        self._deviations: dict[tuple[str, ...], float] = {}

    def answer(self, criterion: str, rater: str, comparison: Comparison, left: str) -> Answer:
        right = comparison.system_b if left == comparison.system_a else comparison.system_a
        worth_left = self._worth(criterion, rater, comparison, left)
        worth_right = self._worth(criterion, rater, comparison, right)
        seen = worth_left - worth_right + self._noise()
        if abs(seen) <= self._panel.tie_width:
            return "both_bad" if (worth_left + worth_right) / 2 < BAD else "tie"
        return "left" if seen > 0 else "right"

    def _worth(self, criterion: str, rater: str, comparison: Comparison, system: str) -> float:
        by_case = self._deviation(criterion, comparison.suite, comparison.case, system)
        by_rater = self._deviation(criterion, rater, system)
        return (
            self._utilities[criterion][system]
            + by_case * self._panel.case_sd
            + by_rater * self._panel.rater_sd
        )

    def _deviation(self, *names: str) -> float:
        if names not in self._deviations:
            key = "/".join((str(self._panel.seed), *names))
            self._deviations[names] = random.Random(key).gauss(0.0, 1.0)
        return self._deviations[names]

    def _noise(self) -> float:
        u = min(max(self._rng.random(), 1e-12), 1 - 1e-12)
        return math.log(u / (1 - u))
