"""Which pairs of a board are decided, so that nobody has to be paid for more votes on them.

`board_verdicts` reads a fitted board and its covariance, whatever votes share, and may be asked after every
vote; it is right for many raters and prompts. `pair_evidence` reads the votes on one pair and is right for
any number, on conditions that it names. This module fits nothing and knows no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from evalkit.errors import UsageError
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.votes import LEFT, RIGHT, Floats, Ints, Votes
from evalkit.stats.sequential import (
    EProcess,
    asymptotic_log_e,
    asymptotic_reach,
    block_process,
    closed_blocks,
    e_bh,
    tuned_to,
    vote_process,
    weaker,
)
from evalkit.types import Estimate

Outcome = Literal["ahead", "equal", "open", "too few"]


@dataclass(frozen=True, slots=True)
class StopRule:
    """Chosen before the first look, and kept.

    Of the pairs called decided, a share of `alpha` at most is wrong in expectation, at whatever look one
    stops. Evidence comes soonest for differences of about `difference` Elo points. Pairs no further apart
    than `equal_within` Elo points are as good as equal; None never says so. With fewer than
    `least_clusters` effective raters or prompts nothing is decided.
    """

    alpha: float = 0.05
    difference: float = 35.0
    equal_within: float | None = None
    least_clusters: float = 20.0


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Systems `a` and `b`, `a` rated no lower, and what can be said of them.

    `difference` is in Elo points, its ends those of a confidence sequence for this pair alone, right at
    every look. `log_e` is the evidence (natural logarithm) that they differ, `log_e_equal` that they are
    closer than the rule's `equal_within`. `outcome`: "ahead" (a is better), "equal" (for practical
    purposes), "open" (go on), or "too few" raters or prompts to say.
    """

    a: str
    b: str
    difference: Estimate
    log_e: float
    log_e_equal: float | None
    outcome: Outcome

    @property
    def decided(self) -> bool:
        """Whether to stop paying for votes on this pair."""
        return self.outcome in ("ahead", "equal")


def board_verdicts(
    systems: tuple[str, ...], theta: Floats, V: Floats, freedom: float, rule: StopRule = StopRule()
) -> tuple[PairVerdict, ...]:
    """A verdict on each of the K (K - 1) / 2 pairs, most evidence first.

    `theta` (K) are abilities in logits, `V` (K, K) their covariance with all that votes share in it,
    `freedom` its degrees of freedom: the smaller number of effective clusters, less one. Decisions are
    those of e-BH (Wang & Ramdas 2022) over all pairs and both kinds of decision at once. Votes must come in
    random order. Raises `UsageError` for a rule that cannot be.
    """
    first, second = _ordered(theta)
    gap = (theta[first] - theta[second]) * ELO_PER_LOGIT
    variance = (V[first, first] + V[second, second] - 2.0 * V[first, second]) * ELO_PER_LOGIT**2
    rho = tuned_to(rule.difference, rule.alpha)
    reach = asymptotic_reach(variance, rho, rule.alpha, freedom)
    apart = asymptotic_log_e(gap, variance, rho, freedom)
    close = _evidence_of_closeness(gap, variance, rho, freedom, rule)
    outcomes = _outcomes(apart, close, freedom, rule)
    clusters = int(freedom + 1.0) if np.isfinite(freedom) else 0
    verdicts = [
        PairVerdict(
            systems[first[i]],
            systems[second[i]],
            Estimate(float(gap[i]), float(gap[i] - reach[i]), float(gap[i] + reach[i]), n_clusters=clusters),
            float(apart[i]),
            None if close is None else float(close[i]),
            outcomes[i],
        )
        for i in range(gap.size)
    ]
    return tuple(sorted(verdicts, key=lambda v: (-max(v.log_e, v.log_e_equal or 0.0), v.a, v.b)))


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """Evidence that one of two systems wins more of the votes that decide, after each of them.

    Each process is against one hypothesis of equality, and right if what it names is true:

    * `votes`: votes do not depend on each other: each is by a new rater on a new prompt, or by ones drawn at
      random, and then the claim is about these raters and these prompts only.
    * `rater`: raters are drawn anew, and prompts do not differ or are given to raters at random; the
      claim is then about these prompts and raters to come.
    * `prompt`: the same with raters and prompts exchanged: about these raters and prompts to come.
    * `weaker` of the two: true if either is; it claims both. About raters *and* prompts to come only
      `board_verdicts` claims something.

    `wins` and `losses` count votes for the first and the second system. Blocks have `size` votes.
    """

    wins: int
    losses: int
    size: int
    votes: EProcess
    rater: EProcess
    prompt: EProcess
    weaker: EProcess


def pair_evidence(votes: Votes, a: str, b: str, size: int = 5) -> PairEvidence:
    """The votes on `a` and `b` that decide, as bets: one per vote, per rater and per prompt.

    `votes` must be in the order in which they were cast. A rater (a prompt) is bet on once, when it has
    `size` votes on this pair; later votes of his count in `votes` only. Raises `UsageError` for weighted
    votes, whose order is lost, and for systems not among them.
    """
    if votes.weight is not None:
        raise UsageError("votes with weights have no order", "Give every vote by itself, as it was cast.")
    sign, rater, case = _between(votes, a, b)
    by_rater, by_prompt = (block_process(closed_blocks(sign, labels, size)) for labels in (rater, case))
    return PairEvidence(
        wins=int((sign > 0).sum()),
        losses=int((sign < 0).sum()),
        size=size,
        votes=vote_process(sign),
        rater=by_rater,
        prompt=by_prompt,
        weaker=weaker(by_rater, by_prompt),
    )


def _ordered(theta: Floats) -> tuple[Ints, Ints]:
    """All pairs of places, the one rated higher first."""
    order = np.argsort(-theta, kind="stable")
    pairs = np.array(list(combinations(order.tolist(), 2)), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _evidence_of_closeness(
    gap: Floats, variance: Floats, rho: float, freedom: float, rule: StopRule
) -> Floats | None:
    """The least evidence against any difference of `equal_within` or more; the nearest one has the least."""
    if rule.equal_within is None:
        return None
    if not rule.equal_within > 0:
        raise UsageError(
            f"systems cannot be equal within {rule.equal_within} points",
            "Give a positive number of Elo points.",
        )
    inside = np.maximum(rule.equal_within - np.abs(gap), 0.0)
    return asymptotic_log_e(inside, variance, rho, freedom)


def _outcomes(apart: Floats, close: Floats | None, freedom: float, rule: StopRule) -> list[Outcome]:
    if freedom + 1.0 < rule.least_clusters:
        return ["too few"] * apart.size
    both = apart if close is None else np.concatenate([apart, close])
    rejected = e_bh(both, rule.alpha)
    ahead = rejected[: apart.size]
    equal = rejected[apart.size :] if close is not None else np.zeros_like(ahead)
    # Both can hold: surely better, and surely by less than matters. Who is better says more.
    return ["ahead" if ahead[i] else "equal" if equal[i] else "open" for i in range(apart.size)]


def _between(votes: Votes, a: str, b: str) -> tuple[Floats, Ints, Ints]:
    """Who won (1 for `a`, -1 for `b`), rater and case of the votes on two systems that decide."""
    unknown = [name for name in (a, b) if name not in votes.systems]
    if unknown or a == b:
        raise UsageError(
            f"{a!r} and {b!r} are not two systems of these votes",
            f"Known: {', '.join(votes.systems)}.",
        )
    i, j = votes.systems.index(a), votes.systems.index(b)
    for_left = (votes.left == i) & (votes.right == j)
    met = for_left | ((votes.left == j) & (votes.right == i))
    chosen = met & ((votes.answer == LEFT) | (votes.answer == RIGHT))
    won = np.where(for_left, votes.answer == LEFT, votes.answer == RIGHT)[chosen]
    rater, case = (column[chosen].astype(np.int64) for column in (votes.rater, votes.case))
    return np.where(won, 1.0, -1.0), rater, case
