"""How far the raters of a question can be trusted, and what the board would be without the suspects.

Joins what `evalkit.preference` says of raters (classes, e-values, repeats, sides) with how well they agree
(`evalkit.stats.agreement`). Nobody is dropped: both boards are there, and every suspicion has its receipts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evalkit.leaderboard.ballot_box import Box
from evalkit.leaderboard.votes import board_of_box
from evalkit.preference import PreferenceBoard, RatingOptions
from evalkit.preference.raters.anomalies import Anomalies, anomalies
from evalkit.preference.raters.consistency import Repeats, answers_by_unit, self_consistency, side_bias
from evalkit.preference.raters.reliability import Reliability, reliability
from evalkit.stats.agreement import fleiss_kappa, gwet_ac1, krippendorff_alpha
from evalkit.types import Estimate


@dataclass(frozen=True, slots=True)
class RaterLine:
    """One rater. `kind` is the class that fits best ("unclear" where none does), `honest` its chance to be
    honest (0 to 1).

    `agreement` is the share of decisive votes that went with the majority of the others, `left` that of the
    left side, `repeats` that of comparisons answered alike when shown again. `log_e` is the evidence of
    cheating (natural logarithm of an e-value); `flagged` says that it is to be reviewed, and `why`.
    """

    rater: str
    votes: int
    decisive: int
    kind: str
    honest: float
    agreement: float | None
    left: Estimate
    repeats: Estimate
    log_e: float
    flagged: bool
    why: str


@dataclass(frozen=True, slots=True)
class RaterReport:
    """Raters, the most doubtful first, how well they agree, and the board with and without doubtful votes.

    In `trusted` every vote counts as much as its rater is likely to be honest; None without weights to give.
    `alpha` (Krippendorff), `kappa` (Fleiss) and `ac1` (Gwet) are chance-corrected agreement: 1 is perfect,
    0 what chance gives.
    """

    raters: tuple[RaterLine, ...]
    alpha: Estimate
    kappa: Estimate
    ac1: Estimate
    repeats: Repeats | None
    left: Estimate
    everyone: PreferenceBoard
    trusted: PreferenceBoard | None
    notes: tuple[str, ...]


NOT_SINGLE = Estimate(None, note="votes carry weights")


def rater_report(box: Box, options: RatingOptions = RatingOptions()) -> RaterReport | None:
    """Everything about the raters of a question; None where no vote says whose it is, or there are none."""
    if not box.votes.n or box.raters_unknown:
        return None
    classes = reliability(box.votes)
    evidence = anomalies(box.votes, trust=classes.honest)
    single = box.votes.weight is None
    consistency = self_consistency(box.votes, box.unit) if single else None
    agreed = _agreement(box) if single else (NOT_SINGLE,) * 3
    sides = side_bias(box.votes)
    repeats = consistency.by_rater if consistency else (NOT_SINGLE,) * len(box.raters)
    lines = [
        _line(box, classes, evidence, r, (sides.by_rater[r], repeats[r])) for r in range(len(box.raters))
    ]
    return RaterReport(
        raters=tuple(sorted(lines, key=lambda line: (not line.flagged, line.honest, line.rater))),
        alpha=agreed[0],
        kappa=agreed[1],
        ac1=agreed[2],
        repeats=consistency.all if consistency else None,
        left=sides.overall,
        everyone=board_of_box(box, options),
        trusted=board_of_box(_weighted(box, classes), options) if classes.suspects else None,
        notes=classes.notes,
    )


def _weighted(box: Box, classes: Reliability) -> Box:
    worth = classes.honest[box.votes.rater]
    known = box.votes.weight
    return replace(box, votes=replace(box.votes, weight=worth if known is None else worth * known))


def _agreement(box: Box) -> tuple[Estimate, Estimate, Estimate]:
    ratings = answers_by_unit(box.votes, box.unit)
    found = (krippendorff_alpha(ratings), fleiss_kappa(ratings), gwet_ac1(ratings))
    return found[0].estimate, found[1].estimate, found[2].estimate


def _line(
    box: Box, classes: Reliability, evidence: Anomalies, r: int, shares: tuple[Estimate, Estimate]
) -> RaterLine:
    flags = {flag.rater: flag for flag in evidence.flags}
    suspects = {suspect.rater: suspect for suspect in classes.suspects}
    why = flags[r].reason if r in flags else suspects[r].reason if r in suspects else ""
    counted = classes.counted
    agreement = float(counted.agreement[r])
    return RaterLine(
        rater=box.raters[r] or "(unknown)",
        votes=round(counted.votes[r]),
        decisive=round(counted.decisive[r]),
        kind=classes.named[r],
        honest=float(classes.honest[r]),
        agreement=None if np.isnan(agreement) else agreement,
        left=shares[0],
        repeats=shares[1],
        log_e=float(evidence.log_e[r]),
        flagged=r in flags,
        why=why,
    )
