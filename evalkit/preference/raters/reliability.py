"""Which raters look honest, and what the ratings are without those who do not.

Every rater is one of five: honest, clicking at random, clicking left, clicking right, or adversarial. Which
one is a matter of probability, worked out together with the abilities by the EM algorithm (Dempster, Laird &
Rubin 1977) on counts per rater and pair. Honest raters may differ in taste and in how readily they call a
tie (see `tastes`); by how much is learnt from the votes, so neither makes a rater bad.

Votes alone cannot tell more than this:

* a rater with few votes stays near the prior (two in three are honest);
* where all systems are alike, clicking at random looks like honesty;
* if most raters were adversarial, honest ones would look adversarial: the majority is believed;
* a rater who is honest half of the time is none of the five, nor is one who boosts a single system: that
  looks like a strong taste (see `anomalies`).

So nobody is removed: suspects are listed with reasons, and votes count by the chance of honesty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, logsumexp

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.raters.meetings import Meetings, Receipts, known, meetings_of, receipts
from evalkit.preference.raters.tastes import Integrated, Prior, integrated
from evalkit.preference.votes import Floats, Votes

CLASSES = ("honest", "random", "left", "right", "adversarial")
UNCLEAR = "unclear"
BELIEF = np.array([8.0, 2.0, 0.5, 0.5, 1.0]) / 12.0
"""How common each class is held to be before a vote is seen."""
SURE = 0.9
"""A rater is named honest from this chance on, and suspect from this chance of not being honest on."""
SLIPS = (19.0, 1.0)
"""Beta prior of how often a side-clicker hits that side: nineteen in twenty."""
WIDE = 3.0
"""Standard deviation in logits of what is believed of abilities before a vote is seen."""
START = (0.3, 0.5)
LEAST, MOST = 0.1, 2.0
"""Limits of the standard deviations of taste and tie habit: below the least, nothing is gained by knowing."""
TOLERANCE = 1e-4
MAX_ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class Suspect:
    """A rater who is probably not honest, and why. `probability` is that of `kind`, one of `CLASSES`.

    `votes` counts all, `decisive` those for one of the two pictures; `agreement` is the share of the latter
    that went with the majority of the others, `left` the share for the left side. None where unknown.
    """

    rater: int
    kind: str
    probability: float
    votes: float
    decisive: float
    agreement: float | None
    left: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Reliability:
    """What the votes of R raters on K systems say about the raters.

    `posterior` (R, 5) are the chances of `CLASSES`; `named` (R) is the class, or "unclear". `everyone` are
    the abilities (half a win for a tie) from all votes alike, `trusted` those with every vote counted by its
    rater's chance of being honest. `taste` and `habit` are the standard deviations, in logits, of honest
    raters' tastes and tie habits as far as the votes tell. `notes` say what the fit cannot know.
    """

    posterior: Floats
    named: tuple[str, ...]
    counted: Receipts
    everyone: bt.Fit
    trusted: bt.Fit
    taste: float
    habit: float
    suspects: tuple[Suspect, ...]
    iterations: int
    converged: bool
    notes: tuple[str, ...]

    @property
    def honest(self) -> Floats:
        """Chance of being honest (R): what a vote of this rater is worth."""
        return np.asarray(self.posterior[:, 0])


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Abilities and log nu of the honest (K+1), and how far they differ in taste and tie habit."""

    centre: Floats
    taste: float
    habit: float

    @property
    def variance(self) -> Floats:
        return np.append(np.full(self.centre.size - 1, self.taste**2), self.habit**2)

    @property
    def prior(self) -> Prior:
        return Prior(self.centre, np.diag(1.0 / self.variance))


@dataclass(slots=True)
class _State:
    """Where EM stands. Deviations (R, K+1) are kept so that each round starts from where the last ended."""

    crowd: _Crowd
    posterior: Floats
    straight: Floats
    turned: Floats


@dataclass(slots=True)
class _Sums:
    """What the next crowd is made from: sums over raters, weighted by the chance of being honest."""

    weight: float
    pull: Floats
    covariance: Floats
    slope: Floats
    curvature: Floats


def reliability(votes: Votes) -> Reliability:
    """Latent classes of raters and abilities of systems, by EM. Raters are numbered from 0.

    The E-step weighs the classes of each rater. Honest: Davidson's model with the rater's own taste and tie
    habit integrated out. Random: an even coin. Left and right: that side nineteen times in twenty or so.
    Adversarial: honest about the opposite. How often those who do not look call ties is anyone's guess.
    The M-step moves abilities, ties, taste and habit by Newton's method (Fisher scoring for the last two) on
    the likelihood of the raters weighted by their chance of being honest. Raises `InvalidInput` where there
    are no votes.
    """
    if not votes.n:
        raise InvalidInput("there are no votes to know raters by", "Collect votes first.")
    meetings = meetings_of(votes)
    state, iterations, converged = _fitted(meetings)
    counted = receipts(meetings)
    named = _named(state.posterior)
    suspects = tuple(
        _suspect(int(r), state.posterior[r], counted)
        for r in np.argsort(state.posterior[:, 0], kind="stable")
        if named[r] not in (CLASSES[0], UNCLEAR)
    )
    return Reliability(
        posterior=state.posterior,
        named=named,
        counted=counted,
        everyone=bt.fit(_wins(meetings, np.ones(meetings.raters))),
        trusted=bt.fit(_wins(meetings, state.posterior[:, 0])),
        taste=state.crowd.taste,
        habit=state.crowd.habit,
        suspects=suspects,
        iterations=iterations,
        converged=converged,
        notes=_notes(state.posterior, named, converged),
    )


def _fitted(meetings: Meetings) -> tuple[_State, int, bool]:
    size = meetings.systems + 1
    pooled = integrated(meetings.pooled(), Prior(np.zeros(size), np.eye(size) / WIDE**2))
    nothing = np.zeros((meetings.raters, size))
    state = _State(
        _Crowd(pooled.deviation[0], *START), np.tile(BELIEF, (meetings.raters, 1)), nothing, nothing
    )
    others = _other_classes(meetings)
    blocks = list(meetings.blocks())
    for iteration in range(1, MAX_ITERATIONS + 1):
        before = state
        state = _next(blocks, others, state, steps=3 if iteration == 1 else 1)
        moved = np.abs(state.posterior - before.posterior).max()
        shift = np.abs(state.crowd.centre - before.crowd.centre).max()
        if max(moved, shift) <= TOLERANCE:
            return state, iteration, True
    return state, MAX_ITERATIONS, False


def _next(blocks: list[tuple[slice, Meetings]], others: Floats, state: _State, steps: int) -> _State:
    size = state.crowd.centre.size
    sums = _Sums(0.0, np.zeros(size), np.zeros((size, size)), np.zeros(2), np.zeros(2))
    posterior, straight, turned = (np.empty_like(a) for a in (state.posterior, state.straight, state.turned))
    for run, meetings in blocks:
        honest = integrated(meetings, state.crowd.prior, state.straight[run], steps)
        opposite = integrated(meetings.reversed(), state.crowd.prior, state.turned[run], steps)
        likelihoods = others[run].copy()
        likelihoods[:, 0], likelihoods[:, -1] = honest.log_likelihood, opposite.log_likelihood
        posterior[run] = _posterior(likelihoods)
        straight[run], turned[run] = honest.deviation, opposite.deviation
        _add(sums, honest, posterior[run, 0], state.crowd)
    return _State(_moved(state.crowd, sums), posterior, straight, turned)


def _posterior(likelihoods: Floats) -> Floats:
    joint = likelihoods + np.log(BELIEF)
    return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))


def _other_classes(meetings: Meetings) -> Floats:
    """Log-likelihoods (R, 5) of the classes that do not look at the pictures; the other columns are empty."""
    left, right, neither = meetings.left, meetings.right, meetings.neither
    decisive = meetings.decisive
    ties = betaln(1.0 + neither, 1.0 + decisive)
    table = np.zeros((meetings.raters, len(CLASSES)))
    table[:, 1] = ties - decisive * np.log(2.0)
    table[:, 2] = ties + side_likelihood(left, right)
    table[:, 3] = ties + side_likelihood(right, left)
    return table


def side_likelihood(hits: Floats, misses: Floats) -> Floats:
    """Log-likelihood of nearly always doing one thing: a beta-binomial sequence with `SLIPS` as prior."""
    return np.asarray(betaln(SLIPS[0] + hits, SLIPS[1] + misses) - betaln(*SLIPS))


def _add(sums: _Sums, honest: Integrated, weight: Floats, crowd: _Crowd) -> None:
    variance = crowd.variance
    covariance = honest.covariance
    known = np.diagonal(covariance, axis1=1, axis2=2) / variance
    excess = honest.deviation**2 / variance + known - 1.0
    sums.weight += float(weight.sum())
    sums.pull += weight @ honest.deviation / variance
    sums.covariance += np.tensordot(weight, covariance, 1)
    sums.slope += _taste_and_habit(weight @ excess)
    sums.curvature += _taste_and_habit(weight @ (1.0 - known) ** 2)


def _taste_and_habit(values: Floats) -> Floats:
    return np.array([values[:-1].sum(), values[-1]])


def _moved(crowd: _Crowd, sums: _Sums) -> _Crowd:
    """One step up the likelihood of the honest: Newton for the centre, Fisher scoring for log variances.

    The information about the centre is that of deviations that are themselves estimated: P - P V P.
    """
    P = 1.0 / crowd.variance
    information = sums.weight * np.diag(P) - P[:, None] * sums.covariance * P
    step = np.linalg.solve(information + 1e-6 * np.eye(P.size), sums.pull)
    centre = crowd.centre + np.clip(step, -1.0, 1.0)
    centre[:-1] -= centre[:-1].mean()
    growth = np.exp(0.5 * np.clip(sums.slope / np.maximum(sums.curvature, 1e-9), -1.0, 1.0))
    taste, habit = np.clip(np.array([crowd.taste, crowd.habit]) * growth, LEAST, MOST)
    return _Crowd(centre, float(taste), float(habit))


def _wins(meetings: Meetings, weight: Floats) -> Floats:
    """Wins of i over j (K, K), ties half each way, with the votes of each rater weighted."""
    pooled = meetings.pooled(weight)
    wins = np.zeros((meetings.systems, meetings.systems))
    wins[pooled.first, pooled.second] = pooled.won + 0.5 * pooled.tied
    wins[pooled.second, pooled.first] = pooled.lost + 0.5 * pooled.tied
    return wins


def _named(posterior: Floats) -> tuple[str, ...]:
    honest, worst = posterior[:, 0], 1 + posterior[:, 1:].argmax(axis=1)
    names = np.array([*CLASSES, UNCLEAR])
    chosen = np.where(honest >= SURE, 0, np.where(honest <= 1.0 - SURE, worst, len(CLASSES)))
    return tuple(names[chosen].tolist())


def _suspect(rater: int, posterior: Floats, counted: Receipts) -> Suspect:
    kind = 1 + int(posterior[1:].argmax())
    return Suspect(
        rater=rater,
        kind=CLASSES[kind],
        probability=float(posterior[kind]),
        votes=float(counted.votes[rater]),
        decisive=float(counted.decisive[rater]),
        agreement=known(counted.agreement[rater]),
        left=known(counted.left[rater]),
        reason=counted.reason(rater, CLASSES[kind]),
    )


def _notes(posterior: Floats, named: tuple[str, ...], converged: bool) -> tuple[str, ...]:
    notes = []
    unclear, raters = named.count(UNCLEAR), len(named)
    if unclear:
        notes.append(f"{unclear} of {raters} raters cannot be told yet: their votes count in part")
    if posterior[:, 0].sum() < 0.5 * raters:
        notes.append("fewer than half of the raters look honest: see who was asked before believing the rest")
    if not converged:
        notes.append(f"the classes had not settled after {MAX_ITERATIONS} rounds")
    return tuple(notes)
