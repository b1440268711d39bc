"""What limits a study, and what to buy next: votes, raters or prompts.

The variance of a difference between two systems is vote / n + rater / R + prompt / P: votes wear off the
first part only, however many there are. A pilot study says how large the three are (`components_of`), or
they are assumed (`assumed_components`). This module knows variances, counts and prices, in whatever unit
the caller has (Elo points, say); it reads no votes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from scipy.stats import norm

from evalkit.errors import UsageError
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.votes import Floats

Part = Literal["votes", "raters", "prompts"]
PARTS: tuple[Part, ...] = get_args(Part)
ENOUGH_CLUSTERS = 20
"""Fewer raters or prompts than this make every interval rough, so no plan asks for fewer."""
ATTENUATION = (16.0 * np.sqrt(3.0) / (15.0 * np.pi)) ** 2
"""How a spread of logits shrinks the logit of their mean chance (Zeger, Liang & Albert 1988): 0.346."""
SHARED = 1.5
"""Votes per rater or prompt below which what they share cannot be told from chance."""
REACH, POINTS, ZOOMS = 1e5, 90, 8
"""A search over votes and raters: up to how many times the least, in how many steps, how often finer."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a study is: `votes` in all, by so many `raters`, on so many `prompts`."""

    votes: float
    raters: float
    prompts: float


NOTHING = Size(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Prices:
    """What one more vote, one more rater (to find and brief) and one more prompt (its pictures) cost."""

    vote: float
    rater: float
    prompt: float

    def cost(self, more: Size) -> float:
        return self.vote * more.votes + self.rater * more.raters + self.prompt * more.prompts


@dataclass(frozen=True, slots=True)
class Pilot:
    """Variances of one difference as a pilot study of this `size` gave them, in squared units.

    `iid` takes every vote to be on its own, `rater` clusters votes by rater, `prompt` by prompt, `cell` by
    both at once; the two-way variance is rater + prompt - cell (Cameron, Gelbach & Miller 2011). Raters and
    prompts in `size` are best given as effective numbers (Kish 1965), where some have more votes than
    others.
    """

    iid: float
    rater: float
    prompt: float
    cell: float
    size: Size

    @property
    def design_effect(self) -> float:
        """How many times the variance is that of independent votes (Kish 1965)."""
        whole = self.cell + max(self.rater - self.cell, 0.0) + max(self.prompt - self.cell, 0.0)
        return whole / max(self.iid, 1e-300)


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of a difference per vote, per rater and per prompt, in squared units, none negative."""

    votes: float
    raters: float
    prompts: float
    notes: tuple[str, ...] = ()

    def parts(self, size: Size) -> tuple[float, float, float]:
        """What votes, raters and prompts contribute to the variance in a study of this size."""
        return self.votes / size.votes, self.raters / size.raters, self.prompts / size.prompts

    def variance(self, size: Size) -> float:
        return sum(self.parts(size))

    def grown(self, now: Size, then: Size) -> float:
        """The variance of a study of size `then` that went on from one of size `now`.

        Raters and prompts of the beginning keep the votes they have. Where those are more than their part,
        new raters and prompts count for less than their number.
        """
        old = np.array(now.votes / then.votes)
        counts = ((self.raters, then.raters, now.raters), (self.prompts, then.prompts, now.prompts))
        return self.votes / then.votes + sum(
            part * float(_weight(np.array(total), held, old)) for part, total, held in counts
        )

    def shares(self, size: Size) -> dict[Part, float]:
        """Of the variance, what is due to each; they add up to 1."""
        whole = max(self.variance(size), 1e-300)
        return {name: part / whole for name, part in zip(PARTS, self.parts(size), strict=True)}

    def floor(self, size: Size) -> float:
        """The variance that is left with endless votes of these raters on these prompts."""
        return sum(self.parts(size)[1:])

    def limit(self, size: Size) -> Part:
        """What contributes most."""
        shares = self.shares(size)
        return max(PARTS, key=lambda name: shares[name])


@dataclass(frozen=True, slots=True)
class Goal:
    """Find a true `difference` with chance `power` by a two-sided test at `alpha`, looked at once."""

    difference: float
    power: float = 0.8
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not (np.isfinite(self.difference) and self.difference > 0):
            raise UsageError(
                f"a difference of {self.difference:g} cannot be planned for", "Give a positive number."
            )
        if not (0.0 < self.alpha < 1.0 and 0.5 <= self.power < 1.0):
            raise UsageError(
                f"power {self.power:g} at alpha {self.alpha:g} cannot be planned for",
                "Give a power from 0.5 to below 1 and a small alpha: 0.8 at 0.05, say.",
            )

    @property
    def quantiles(self) -> float:
        """Standard errors that the difference must be: z(alpha / 2) + z(power), 2.80 by default."""
        return float(norm.isf(self.alpha / 2.0) + norm.ppf(self.power))

    @property
    def variance(self) -> float:
        """The variance that is small enough."""
        return (self.difference / self.quantiles) ** 2

    def at(self, variance: float) -> float:
        """The difference for which this variance is small enough."""
        return self.quantiles * float(np.sqrt(variance))


@dataclass(frozen=True, slots=True)
class Option:
    """One way to a goal. `size` is that of the whole study then.

    It is None where this way never gets there; `at_best` is the difference that it could find without end.
    """

    name: str
    size: Size | None
    at_best: float | None = None


def components_of(pilot: Pilot) -> Components:
    """Variances per vote, rater and prompt from those of a pilot study.

    What raters have in common beyond the votes is V_rater - V_cell = rater * (1 / R - 1 / n) for n votes of R
    raters, and so for prompts; the rest of rater + prompt - cell is due to votes. A part whose estimate is
    negative is set to zero and said so in `notes`, as is what the pilot cannot know. Raises `UsageError`
    for variances and sizes that cannot be.
    """
    _check_pilot(pilot)
    size = pilot.size
    by_rater, by_prompt = pilot.rater - pilot.cell, pilot.prompt - pilot.cell
    raters, said = _per_cluster("raters", by_rater, size.raters, size.votes)
    prompts, also_said = _per_cluster("prompts", by_prompt, size.prompts, size.votes)
    whole = pilot.cell + max(by_rater, 0.0) + max(by_prompt, 0.0)
    votes = (whole - raters / size.raters - prompts / size.prompts) * size.votes
    return Components(max(votes, 0.0), raters, prompts, (*said, *also_said))


def assumed_components(votes: float, goal: Goal, rater_sd: float, prompt_sd: float) -> Components:
    """Components in Elo points, from assumptions: `votes` independent ones would reach the goal (in points).

    `rater_sd` and `prompt_sd` are standard deviations in logits of how much one system is worth to one
    rater, and of how well its picture of one prompt came out. Two systems differ by twice that variance; on
    the scale of shares over all raters and prompts it is smaller by 1 + 0.346 times all of it (Zeger et al.
    1988).
    """
    for value, what in ((rater_sd, "raters"), (prompt_sd, "prompts")):
        if not (np.isfinite(value) and value >= 0):
            raise UsageError(
                f"a standard deviation of {what} of {value:g} cannot be", "Give 0 or more, in logits."
            )
    spread = 2.0 * rater_sd**2 + 2.0 * prompt_sd**2
    scale = ELO_PER_LOGIT**2 / (1.0 + ATTENUATION * spread)
    return Components(votes * goal.variance, 2.0 * rater_sd**2 * scale, 2.0 * prompt_sd**2 * scale)


def smallest_seen(components: Components, size: Size, power: float = 0.8, alpha: float = 0.05) -> float:
    """The difference that a study of this size finds with chance `power`."""
    return Goal(1.0, power, alpha).at(components.variance(size))


def options(s: Components, now: Size, goal: Goal) -> tuple[Option, ...]:
    """Ways from a study of size `now` to the goal, buying more of one kind only, or of all alike.

    New raters and new prompts bring as many votes each as there are per rater and prompt now.
    """
    return (
        _only_votes(s, now, goal),
        _only_clusters("raters", s, now, goal),
        _only_clusters("prompts", s, now, goal),
        _everything(s, now, goal),
    )


def cheapest(
    s: Components,
    goal: Goal,
    prices: Prices,
    now: Size = NOTHING,
    pairs: int = 1,
    prompts: float = np.inf,
) -> Size | None:
    """The study that reaches the goal for the least money, going on from one of size `now`.

    Votes that are there stay where they are: new raters and prompts lighten the weight of the old ones only
    as new votes come in (`Components.grown`). From nothing, each part is bought in proportion to
    sqrt(variance / price) (Neyman 1934). At least `ENOUGH_CLUSTERS` raters and prompts, at most `prompts`; at
    least one vote by each rater and on each prompt; and nobody sees one of `pairs` pairs of a prompt twice.
    Rounded up to whole numbers. None where nothing will do. Raises `UsageError` for prices below zero.
    """
    c = _weighed(prices)
    votes = _Axis(max(now.votes, s.votes / goal.variance, 1.0), REACH)
    raters = _Axis(max(now.raters, ENOUGH_CLUSTERS), REACH)
    best: Size | None = None
    for _ in range(ZOOMS):
        n, R = np.meshgrid(votes.points(), raters.points())
        P = np.maximum(_prompts_for(s, goal, now, n, R), np.maximum(n / (pairs * R), ENOUGH_CLUSTERS))
        cast = np.maximum(n, np.maximum(R, P))
        cost = np.where(prompts < P, np.inf, c.vote * cast + c.rater * R + c.prompt * P)
        at = np.unravel_index(int(cost.argmin()), cost.shape)
        if np.isinf(cost[at]):
            break
        best = Size(*(_up(float(axis[at])) for axis in (cast, R, P)))
        votes, raters = votes.near(float(n[at])), raters.near(float(R[at]))
    return best


@dataclass(frozen=True, slots=True)
class _Axis:
    """Counts from `low` to `low * reach`, evenly spaced as ratios."""

    low: float
    reach: float

    def points(self) -> Floats:
        return np.asarray(self.low * np.geomspace(1.0, self.reach, POINTS))

    def near(self, point: float) -> _Axis:
        """The stretch around a point, three steps to each side."""
        step = self.reach ** (3.0 / (POINTS - 1))
        low = max(point / step, self.low)
        return _Axis(low, min(point * step, self.low * self.reach) / low)


def _weighed(prices: Prices) -> Prices:
    """What is free is weighed at a hundredth of the dearest, so that no plan asks for it without end."""
    given = (prices.vote, prices.rater, prices.prompt)
    for value in given:
        if not (np.isfinite(value) and value >= 0):
            raise UsageError(f"a price of {value:g} cannot be", "Give 0 or more.")
    least = max(given) / 100.0 or 1.0
    return Prices(*(price or least for price in given))


def _prompts_for(s: Components, goal: Goal, now: Size, n: Floats, R: Floats) -> Floats:
    """How many prompts it takes with so many votes and raters; infinity where none will do."""
    old = now.votes / n
    room = goal.variance - s.votes / n - s.raters * _weight(R, now.raters, old)
    if s.prompts == 0:
        return np.where(room >= 0, now.prompts, np.inf)
    k = np.maximum(room / s.prompts, 1e-300)
    beyond = k - (old**2 / now.prompts if now.prompts else 0.0)
    added = np.divide((1.0 - old) ** 2, beyond, out=np.full_like(k, np.inf), where=beyond > 0)
    even = np.maximum(1.0 / k, now.prompts)
    wanted = np.where(now.prompts * k >= old, even, now.prompts + added)
    return np.where(room <= 0, np.inf, wanted)


def _weight(total: Floats, held: float, old: Floats) -> Floats:
    """Sum of squared shares of the votes over `total` raters (prompts), `held` of whom have the share `old`.

    New votes go to new ones until all have the same; then it is 1 / total.
    """
    added = np.maximum(total - held, 1e-300)
    uneven = (old**2 / held if held else 0.0) + (1.0 - old) ** 2 / added
    return np.asarray(np.where(held >= old * total, 1.0 / total, uneven))


def on_prompts(s: Components, goal: Goal, prices: Prices, prompts: int, pairs: int = 1) -> Option:
    """The cheapest new study on exactly so many prompts; no size where no number of votes is enough."""
    name, fixed = f"{prompts} prompts", s.prompts / prompts
    size = None
    if fixed < goal.variance:
        left = replace(goal, difference=goal.at(goal.variance - fixed))
        size = cheapest(replace(s, prompts=0.0), left, prices, pairs=pairs, prompts=prompts)
    if size is None:
        return Option(name, None, goal.at(fixed))
    return Option(name, replace(size, votes=max(size.votes, float(prompts)), prompts=float(prompts)))


def _only_votes(s: Components, now: Size, goal: Goal) -> Option:
    room = goal.variance - s.floor(now)
    if s.variance(now) <= goal.variance:
        return Option("votes", now)
    if room <= 0:
        return Option("votes", None, goal.at(s.floor(now)))
    return Option("votes", replace(now, votes=_up(s.votes / room)))


def _only_clusters(name: Literal["raters", "prompts"], s: Components, now: Size, goal: Goal) -> Option:
    """More raters, or more prompts, each with as many votes as now."""
    count, kept = (
        (now.raters, s.prompts / now.prompts) if name == "raters" else (now.prompts, s.raters / now.raters)
    )
    wearing = s.variance(now) - kept
    if s.variance(now) <= goal.variance:
        return Option(name, now)
    if kept >= goal.variance:
        return Option(name, None, goal.at(kept))
    wanted = _up(count * wearing / (goal.variance - kept))
    votes = _up(now.votes * wanted / count)
    return Option(
        name,
        replace(now, votes=votes, raters=wanted)
        if name == "raters"
        else replace(now, votes=votes, prompts=wanted),
    )


def _everything(s: Components, now: Size, goal: Goal) -> Option:
    grown = max(s.variance(now) / goal.variance, 1.0)
    return Option(
        "all alike", Size(_up(now.votes * grown), _up(now.raters * grown), _up(now.prompts * grown))
    )


def _up(count: float) -> float:
    return float(np.ceil(count - 1e-6))


def _per_cluster(name: str, excess: float, count: float, votes: float) -> tuple[float, list[str]]:
    """The variance of one rater or prompt, and what there is to say about it."""
    if count < 2:
        return 0.0, [f"Fewer than two {name}: how they differ is not known, and not in this plan."]
    if votes < SHARED * count:
        return 0.0, [
            f"Hardly two votes share one of the {name}, so how they differ counts as chance of votes."
        ]
    said = []
    if count < ENOUGH_CLUSTERS:
        said.append(f"Only {count:.0f} {name} in effect: how much they differ is known roughly.")
    if excess < 0:
        said.append(f"The part of the {name} came out below zero: too small to be seen, and taken as zero.")
    return max(excess, 0.0) / (1.0 / count - 1.0 / votes), said


def _check_pilot(pilot: Pilot) -> None:
    variances = (pilot.iid, pilot.rater, pilot.prompt, pilot.cell)
    if not all(np.isfinite(v) and v >= 0 for v in variances):
        raise UsageError(
            f"variances {variances} are not all numbers from 0 up", "Check the pilot's covariance."
        )
    size = pilot.size
    if not (size.votes >= max(size.raters, size.prompts) and min(size.raters, size.prompts) >= 1):
        raise UsageError(
            f"{size.votes:g} votes of {size.raters:g} raters on {size.prompts:g} prompts are no study",
            "A study has at least one vote for every rater and every prompt.",
        )
