"""Evidence against single raters, that may be looked at after every vote: e-values.

A rater's e-value is how much better the best-known ways of cheating explain the rater's votes than honesty
does: a likelihood ratio, with a mixture of cheats above and honesty below. For an honest rater it reaches
1 / alpha with probability alpha at most, however often it is looked at (Ville 1939). It is about votes for
one of the two pictures only, so that how readily somebody calls a tie cannot look like cheating.

Honesty means to see the systems as the crowd without this rater does, give or take a normal taste for each
system and what is uncertain about the crowd. The largest likelihood of no, half and full taste is taken, so
that neither raters with strong views nor those without any are at a disadvantage. A flag is for a person to
review; nothing here removes a vote.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from evalkit.errors import UsageError
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.raters.meetings import Meetings, Receipts, known, meetings_of, receipts
from evalkit.preference.raters.reliability import side_likelihood
from evalkit.preference.raters.tastes import Prior, conditional, integrated, log_likelihood
from evalkit.preference.votes import Floats, Ints, Votes
from evalkit.stats.sequential import e_bh

KINDS = ("coin", "left", "right", "adversarial", "booster")
TASTE = 0.6
"""Standard deviation of an honest rater's taste for a system, in logits."""
LEVELS = (0.5, 1.0)
"""Shares of that taste at which honesty is tried, beside the crowd's bare abilities."""
NEVER = -50.0
"""Log nu of a rater who does not call ties."""
WIDE = 3.0
"""Standard deviation in logits of what is believed of abilities before anybody voted."""
FEWEST = 4
BOOSTED = 0.7
"""A booster is looked for where a system was shown this often at least and chosen in this share at least."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A rater to review. `kind` is the one of `KINDS` that explains the votes best, `system` the number of
    the one that is boosted.

    `log_e` is the natural logarithm of the e-value. `decisive` counts votes for one of the two pictures;
    `agreement` is the share of them that went with the majority of the others, `left` the share for the left.
    """

    rater: int
    log_e: float
    kind: str
    system: int | None
    decisive: float
    agreement: float | None
    left: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Anomalies:
    """E-values of R raters, as natural logarithms (`log_e`), and which to review.

    `flags` are raters whose own e-value is at least 1 / `alpha`: of the honest, a share `alpha` at most.
    `discoveries` (R, boolean) are the raters found by e-BH: of these, a share `alpha` at most is honest in
    expectation (Wang & Ramdas 2022), however many raters were tested.
    """

    log_e: Floats
    counted: Receipts
    flags: tuple[Flag, ...]
    discoveries: NDArray[np.bool_]
    alpha: float


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What the others say of the systems, for each of R raters: abilities (R, K) and covariance (R, K, K)."""

    theta: Floats
    covariance: Floats


def anomalies(
    votes: Votes, alpha: float = 0.01, trust: Floats | None = None, taste: float = TASTE
) -> Anomalies:
    """An e-value for each rater; raters are numbered from 0. At least 1 / `alpha` means: have a look.

    The cheats are a coin, always left, always right, voting against the crowd, and boosting one system while
    voting honestly on the others; each of the five has a fifth of the stake. `trust` (R) is what each rater's
    votes count in the crowd, `Reliability.honest` say; by default all count alike. `taste` is the standard
    deviation, in logits, of what honest raters think of a system beside the crowd. Raises `UsageError`.
    """
    if not 0.0 < alpha < 1.0 or not taste >= 0.0:
        raise UsageError("alpha lies between 0 and 1, and a taste is not negative", "0.01 and 0.6 are usual.")
    meetings = meetings_of(votes)
    if trust is not None and trust.shape != (meetings.raters,):
        raise UsageError(f"{meetings.raters} raters and {trust.size} weights do not belong together")
    log_e, kind = _evidence(meetings.decided(), np.ones(meetings.raters) if trust is None else trust, taste)
    counted = receipts(meetings)
    flagged = [int(r) for r in np.argsort(-log_e, kind="stable") if log_e[r] >= -np.log(alpha)]
    flags = tuple(_flag(r, float(log_e[r]), int(kind[r]), meetings, counted) for r in flagged)
    return Anomalies(log_e, counted, flags, e_bh(log_e, alpha), alpha)


def _evidence(meetings: Meetings, trust: Floats, taste: float) -> tuple[Floats, Ints]:
    """Log e-value and the likeliest cheat of each rater; from 4 on, a cheat boosts a system."""
    log_e, kind = np.zeros(meetings.raters), np.zeros(meetings.raters, dtype=np.int64)
    everyone = meetings.pooled(trust).beaten()[0]
    start = _climbed(everyone, np.zeros(meetings.systems))
    for run, part in meetings.blocks():
        others = everyone - trust[run, None, None] * part.beaten()
        crowd = _crowd(np.maximum(others, 0.0), start)
        priors = [_prior(crowd, taste * level) for level in LEVELS]
        bare = log_likelihood(part, _without_ties(crowd.theta))
        honest = np.max([bare, *(_marginal(part, prior) for prior in priors)], axis=0)
        cheats = _cheats(part, priors[-1])
        log_e[run] = logsumexp(cheats + _stakes(meetings.systems), axis=1) - honest
        kind[run] = cheats.argmax(axis=1)
    return log_e, kind


def _stakes(systems: int) -> Floats:
    shares = np.full(len(KINDS) - 1 + systems, 1.0 / len(KINDS))
    shares[len(KINDS) - 1 :] /= systems
    return np.asarray(np.log(shares))


def _cheats(meetings: Meetings, honest: Prior) -> Floats:
    """Log-likelihoods (R, 4 + K) of the cheats. A booster that is out of the question has none: -inf."""
    coin = -meetings.decisive * np.log(2.0)
    left = side_likelihood(meetings.left, meetings.right)
    right = side_likelihood(meetings.right, meetings.left)
    against = _marginal(meetings.reversed(), honest)
    boosters = [_booster(meetings, honest, system) for system in range(meetings.systems)]
    return np.column_stack([coin, left, right, against, *boosters])


def _booster(meetings: Meetings, honest: Prior, system: int) -> Floats:
    """Chooses `system` nearly always, and is honest where it is not shown."""
    chosen, passed = meetings.shown(system)
    shown = chosen + passed
    likely = (shown >= FEWEST) & (chosen >= BOOSTED * shown)
    found = np.full(meetings.raters, -np.inf)
    if likely.any():
        rest = _only(meetings, likely, (meetings.first != system) & (meetings.second != system))
        prior = Prior(honest.centre[likely], honest.precision[likely])
        found[likely] = side_likelihood(chosen[likely], passed[likely]) + _marginal(rest, prior)
    return found


def _only(meetings: Meetings, raters: NDArray[np.bool_], entries: NDArray[np.bool_]) -> Meetings:
    """These raters, numbered anew, and of their entries only these."""
    keep = entries & raters[meetings.rater]
    place = np.cumsum(raters) - 1
    return replace(
        meetings,
        rater=place[meetings.rater[keep]],
        first=meetings.first[keep],
        second=meetings.second[keep],
        won=meetings.won[keep],
        lost=meetings.lost[keep],
        tied=meetings.tied[keep],
        left=meetings.left[raters],
        right=meetings.right[raters],
    )


def _marginal(meetings: Meetings, prior: Prior) -> Floats:
    return integrated(meetings, prior).log_likelihood


def _crowd(wins: Floats, start: Floats) -> _Crowd:
    """Abilities by the crowd's wins (R, K, K), normal around zero before, and how well they are known."""
    theta = _climbed(wins, np.broadcast_to(start, wins.shape[:-1]))
    return _Crowd(theta, np.asarray(np.linalg.inv(_information(theta, wins)), dtype=np.float64))


def _climbed(wins: Floats, theta: Floats) -> Floats:
    for _ in range(bt.MAX_ITERATIONS):
        pull = bt.gradient(theta, wins) - theta / WIDE**2
        step = np.linalg.solve(_information(theta, wins), pull[..., None])[..., 0]
        theta = theta + np.clip(step, -bt.MAX_STEP, bt.MAX_STEP)
        if np.abs(step).max(initial=0.0) <= 1e-8:
            break
    return theta


def _information(theta: Floats, wins: Floats) -> Floats:
    return np.asarray(bt.information(theta, wins) + np.eye(wins.shape[-1]) / WIDE**2)


def _prior(crowd: _Crowd, taste: float) -> Prior:
    """What an honest rater with such a taste thinks: the crowd's mean, its uncertainty, and the taste.

    Where the crowd is unsure, a wide prior makes any coin look good; hence the bare abilities beside it.
    """
    raters, k = crowd.theta.shape
    stretch = conditional(np.ones(1), taste)[0]
    precision = np.zeros((raters, k + 1, k + 1))
    precision[:, :k, :k] = np.linalg.inv(stretch**2 * crowd.covariance + taste**2 * np.eye(k))
    precision[:, k, k] = 1.0
    return Prior(_without_ties(stretch * crowd.theta), precision)


def _without_ties(theta: Floats) -> Floats:
    """Abilities (R, K) and the log nu of raters who call none (R, K+1)."""
    return np.column_stack([theta, np.full(theta.shape[0], NEVER)])


def _flag(rater: int, log_e: float, kind: int, meetings: Meetings, counted: Receipts) -> Flag:
    name, boosted = KINDS[min(kind, len(KINDS) - 1)], kind - len(KINDS) + 1
    return Flag(
        rater=rater,
        log_e=log_e,
        kind=name,
        system=boosted if boosted >= 0 else None,
        decisive=float(counted.decisive[rater]),
        agreement=known(counted.agreement[rater]),
        left=known(counted.left[rater]),
        reason=counted.reason(rater, name) if boosted < 0 else _boosts(meetings, rater, boosted),
    )


def _boosts(meetings: Meetings, rater: int, system: int) -> str:
    chosen, passed = meetings.shown(system)
    shown = chosen + passed
    others = (chosen.sum() - chosen[rater]) / max(shown.sum() - shown[rater], 1.0)
    mine = f"{chosen[rater]:.0f} of {shown[rater]:.0f} decisive votes"
    return f"chose one system in {mine}, the others in {others:.0%}"
