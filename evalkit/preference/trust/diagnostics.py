"""Can you trust this board? Everything a reader should know before believing it, in one call.

`can_you_trust_this` measures (by `balance`, `goodness` and `flips`) and says of each finding, in a sentence,
whether it is fine, worth a look, or a reason to stop. The thresholds are here; the numbers are computed
elsewhere. What cannot be computed says why, and is never taken for fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import expit

from evalkit.errors import EvalkitError, InvalidInput
from evalkit.preference.tensor import Tensor
from evalkit.preference.trust import balance, goodness
from evalkit.preference.trust.flips import Flip, votes_to_add, votes_to_drop
from evalkit.preference.trust.goodness import DesignEffects, GoodnessOfFit
from evalkit.preference.votes import Floats, Votes

Level = Literal["fine", "look", "stop"]
SEVERITY: tuple[Level, ...] = ("fine", "look", "stop")

FEW_CLUSTERS = 20
"""Raters, or prompts, below which intervals are rough (Cameron & Miller 2015)."""
MANY_TIES = 0.5
"""Share of votes that choose nobody from which most votes say little about order."""
MANY_BAD = 0.25
"""Share of "both bad" from which being best of the board may still be bad."""
SIDE_LOOK, SIDE_STOP = 0.02, 0.10
"""By how much the left's share between equals may differ from a half, where beyond chance."""
FIT_LOOK, FIT_STOP, FIT_CHANCE = 1.2, 3.0, 0.01
"""G2/df over what it comes to where the model holds, and the p-value below which it is beyond chance."""
VOTES_PER_PAIR = 5.0
"""Decisive votes per pair, on average, from which the model can be checked."""
SHIFT_LOOK = 10.0
"""Elo points a rating may move when opponents, or logged chances, are weighted otherwise."""
FLIP_LOOK = 0.001
"""Share of all votes that may decide who is first, where nobody knows how many one rater gave."""
UNKNOWN = DesignEffects(None, None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `sentence` is for anybody; `numbers` are what it rests on.

    What could not be found out has no `level` and a `reason`.
    """

    name: str
    level: Level | None
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """All findings, and what they rest on where there is more to show."""

    findings: tuple[Finding, ...]
    fit: GoodnessOfFit
    cycles: goodness.Cycles
    drop: Flip | None
    add: Flip | None

    @property
    def level(self) -> Level:
        """The worst of the findings; where anything is unknown, at least "look"."""
        levels = [finding.level or "look" for finding in self.findings if finding.name not in OPTIONAL]
        return max(levels, key=SEVERITY.index, default="stop")

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)


OPTIONAL = frozenset({"logged chances"})
"""Findings that need what not every study keeps: without it they are unknown, but not a reason to look."""


@dataclass(frozen=True, slots=True)
class _Board:
    """What is looked at: systems with votes; `weights` (N) are 1 / the logged chance of each vote's pair."""

    unplayed: tuple[str, ...]
    tensor: Tensor
    votes: Votes | None
    weights: Floats | None


def can_you_trust_this(
    tensor: Tensor,
    votes: Votes | None = None,
    weights: Floats | None = None,
    effects: DesignEffects | None = None,
) -> Panel:
    """Look at a board from every side; `votes` are those that `tensor` counts, where they are at hand.

    `weights` (N) are 1 / the chance with which each vote's pair was chosen to be shown. `effects` are by how
    much shared prompts and raters inflate what is seen; they are measured if there are `votes`. Boards that
    are empty, separated or all ties get findings too. Raises InvalidInput where votes and tensor are not
    of the same systems, or weights are not those of the votes.
    """
    if votes is not None and votes.systems != tensor.systems:
        raise InvalidInput(
            "the votes are not on the systems of the tensor", "Count the tensor from the votes."
        )
    if weights is not None and (votes is None or weights.shape != (votes.n,)):
        raise InvalidInput("weights need the votes they belong to, one for each")
    board = _board(tensor, votes, weights)
    tensor, votes = board.tensor, board.votes
    if effects is None:
        effects = UNKNOWN if votes is None else goodness.design_effects(votes)
    fit = goodness.decisive_fit(tensor, effects)
    cycles = goodness.supported_cycles(tensor, effects)
    drop, add, reason = _flips(tensor)
    findings = (
        *_enough(board),
        *_held_together(tensor),
        *_answered(tensor),
        _side(board),
        _fits(tensor, fit, known=effects.fit is not None),
        _cyclic(cycles),
        _opponents(tensor),
        _chances(board),
        _flipped(board, drop, add, reason),
    )
    return Panel(findings, fit, cycles, drop, add)


def _board(tensor: Tensor, votes: Votes | None, weights: Floats | None) -> _Board:
    shown = tensor.played > 0
    unplayed = tuple(name for name, seen in zip(tensor.systems, shown, strict=True) if not seen)
    if votes is not None and votes.weight is not None:
        counted = votes.weight > 0
        votes, weights = votes.where(counted), None if weights is None else weights[counted]
    compact = None if votes is None else votes.compact()
    return _Board(unplayed, tensor.only(np.flatnonzero(shown)), compact, weights)


def _enough(board: _Board) -> Iterator[Finding]:
    total = board.tensor.total
    least = float(board.tensor.played.min()) if total else 0.0
    numbers = {"votes": total, "fewest of a system": least, "systems without": float(len(board.unplayed))}
    if not total:
        yield Finding("votes", "stop", "There are no votes yet.", numbers)
    elif board.unplayed:
        yield Finding("votes", "look", f"No votes on: {_list(board.unplayed)}.", numbers)
    elif least < balance.FEW_VOTES:
        said = f"Some system has only {least:.0f} votes; below {balance.FEW_VOTES} a rating says little."
        yield Finding("votes", "look", said, numbers)
    else:
        yield Finding("votes", "fine", f"{total:,.0f} votes, at least {least:,.0f} on each system.", numbers)
    yield _clusters(board, "raters", "people")
    yield _clusters(board, "prompts", "prompts")


def _clusters(board: _Board, name: str, noun: str) -> Finding:
    if board.votes is None:
        return _unknown(name, f"How many {noun} the votes rest on", "only counts are at hand, not the votes")
    count = int(np.unique(board.votes.rater if name == "raters" else board.votes.case).size)
    numbers = {name: float(count)}
    if count < 2:
        said = f"The votes do not rest on several {noun}: nothing is known of how others would turn out."
        return Finding(name, "stop", said, numbers)
    if count < FEW_CLUSTERS:
        said = f"The votes rest on {count} {noun} only; below {FEW_CLUSTERS} every interval is rough."
        return Finding(name, "look", said, numbers)
    return Finding(name, "fine", f"The votes rest on {count:,} {noun}.", numbers)


def _held_together(tensor: Tensor) -> Iterator[Finding]:
    if not tensor.size:
        yield _unknown("one scale", "Whether all systems are on one scale", "there are no systems")
        return
    found = balance.connections(tensor)
    yield _one_scale(found)
    yield _weakest_link(found)
    extreme = found.unbeaten + found.winless
    numbers = {"unbeaten": float(len(found.unbeaten)), "winless": float(len(found.winless))}
    if extreme:
        said = f"Never beaten or never chosen, so rated by ties alone or not at all: {_list(extreme)}."
        yield Finding("won and lost", "look", said, numbers)
    elif not tensor.beaten.any():
        yield _unknown("won and lost", "Whether everybody has won and lost", "no vote chose anybody")
    else:
        yield Finding("won and lost", "fine", "Every system with votes has won some and lost some.", numbers)


def _one_scale(found: balance.Connections) -> Finding:
    numbers = {"parts": float(len(found.parts))}
    if len(found.parts) == 1:
        return Finding("one scale", "fine", "All systems can be put on one scale.", numbers)
    groups = "; ".join(_list(part) for part in found.parts)
    said = f"Not one scale: some never beat, or never met, the others. Groups: {groups}."
    return Finding("one scale", "stop", said, numbers)


def _weakest_link(found: balance.Connections) -> Finding:
    numbers = {"votes across": found.cut_votes, "algebraic connectivity": found.connectivity}
    numbers["systems with one opponent"] = float(len(found.one_opponent))
    cut = f"{found.cut_votes:,.0f} of the votes tie {_list(found.cut)} to the rest"
    if found.cut_votes < balance.FEW_VOTES:
        return Finding("weakest link", "look", f"Only {cut}: its place among the others is a guess.", numbers)
    if found.one_opponent:
        said = f"Compared with one other system only: {_list(found.one_opponent)}."
        return Finding("weakest link", "look", said, numbers)
    return Finding("weakest link", "fine", f"The board hangs together: at least {cut}.", numbers)


def _answered(tensor: Tensor) -> Iterator[Finding]:
    shares = balance.answers(tensor)
    if shares is None:
        yield _unknown("ties", "How often nobody was chosen", "there are no votes")
        yield _unknown("both bad", "How often both were bad", "there are no votes")
        return
    said = f"{_percent(shares.decisive)} of votes choose one side; {_percent(shares.tie)} are ties."
    numbers = {"decisive": shares.decisive, "tie": shares.tie}
    yield Finding("ties", "look" if 1.0 - shares.decisive > MANY_TIES else "fine", said, numbers)
    worst, rate = shares.by_system[0]
    said = f"{_percent(shares.both_bad)} of votes say that both were bad"
    said += f", most often with {worst} ({_percent(rate)})." if rate > 0 else "."
    numbers = {"both bad": shares.both_bad, **{f"both bad of {name}": bad for name, bad in shares.by_system}}
    yield Finding("both bad", "look" if shares.both_bad > MANY_BAD else "fine", said, numbers)


def _side(board: _Board) -> Finding:
    found = balance.side_effect(board.tensor, board.votes)
    widest = max((e for e in (found.single, found.by_rater) if e), key=lambda e: (e.high or 0) - (e.low or 0))
    if widest.value is None or widest.low is None or widest.high is None or found.adjusted is None:
        return _unknown("side", "Whether the left side is favoured", widest.note or "too few votes")
    numbers = {"gamma": widest.value, "low": widest.low, "high": widest.high, "left": found.adjusted}
    low, high = (float(expit(end)) for end in (widest.low, widest.high))
    said = f"between equals the left is chosen {_percent(found.adjusted)} of the time"
    off = abs(found.adjusted - 0.5)
    if widest.low <= 0.0 <= widest.high or off <= SIDE_LOOK:
        if max(high - 0.5, 0.5 - low) > SIDE_STOP:
            reason = f"it may be anything from {_percent(low)} to {_percent(high)} of votes between equals"
            return _unknown("side", "Whether the left side is favoured", reason)
        return Finding("side", "fine", f"No side is favoured beyond chance: {said}.", numbers)
    return Finding("side", "stop" if off > SIDE_STOP else "look", f"Sides matter: {said}.", numbers)


def _fits(tensor: Tensor, fit: GoodnessOfFit, known: bool) -> Finding:
    asked = "Whether one rating per system describes the votes"
    if fit.dispersion is None or fit.expected is None or fit.p_value is None:
        return _unknown("fit", asked, fit.reason or "")
    beaten = tensor.beaten
    per_pair = float(beaten.sum() / max(int((np.triu(beaten + beaten.T) > 0).sum()), 1))
    if per_pair < VOTES_PER_PAIR:
        return _unknown("fit", asked, f"fewer than {VOTES_PER_PAIR:.0f} decisive votes per pair")
    beyond = fit.dispersion / (fit.expected * fit.design_effect)
    numbers = {"G2": fit.statistic or 0.0, "df": float(fit.df), "G2/df": fit.dispersion, "p": fit.p_value}
    numbers |= {"design effect": fit.design_effect, "beyond chance": beyond}
    doubt = "" if known else " Shared prompts and raters can look like this; give the votes to tell."
    if fit.p_value >= FIT_CHANCE or beyond < FIT_LOOK:
        said = f"One rating per system describes the votes well (spread {beyond:.2f} times that of chance)."
        return Finding("fit", "fine", said, numbers)
    worst = fit.worst[0]
    said = (
        f"Ratings do not tell all: pairs differ from them {beyond:.2f} times as much as by chance, "
        "so they depend on who met whom. Most so "
        f"{worst.a} against {worst.b} ({_percent(worst.share)} chosen, {_percent(worst.expected)} expected)."
    )
    return Finding("fit", "stop" if beyond >= FIT_STOP and known else "look", said + doubt, numbers)


def _cyclic(found: goodness.Cycles) -> Finding:
    numbers = {"cycles": float(found.count), "edges": float(found.edges), "pairs": float(found.pairs)}
    if not found.pairs:
        return _unknown("cycles", "Whether preferences go in circles", "no vote chose anybody")
    if not found.count:
        return Finding("cycles", "fine", "No circle of preferences is beyond chance.", numbers)
    names = found.listed[0].systems
    said = f"Preferences go in circles: {' beats '.join((*names, names[0]))}, beyond chance."
    return Finding("cycles", "look", said + (f" {found.count} in all." if found.count > 1 else ""), numbers)


def _opponents(tensor: Tensor) -> Finding:
    found = balance.opponent_shift(tensor)
    return _shifted("opponents", "if every opponent weighed alike", found)


def _chances(board: _Board) -> Finding:
    if board.votes is None or board.weights is None:
        asked = "What ratings would be if every pair had the same chance"
        return _unknown("logged chances", asked, "the chance of each pair was not kept")
    found = balance.propensity_shift(board.votes, board.weights)
    return _shifted("logged chances", "if every pair had had the same chance to be shown", found)


def _shifted(name: str, when: str, found: balance.Shift) -> Finding:
    if found.largest is None or found.median is None or found.effective_votes is None:
        return _unknown(name, f"What ratings would be {when}", found.reason or "")
    numbers = {"largest": found.largest, "median": found.median, "effective votes": found.effective_votes}
    numbers |= {"first stays": float(bool(found.first_stays)), "top stays": float(bool(found.top_stays))}
    moved = (
        f"ratings would move by up to {found.largest:.1f} points ({found.system}; half of them by less than "
    )
    said = f"{when[0].upper()}{when[1:]}, {moved}{found.median:.1f})"
    if not found.first_stays:
        return Finding(name, "look", said + ", and another would be first.", numbers)
    if not found.top_stays:
        return Finding(name, "look", said + ", and the order at the top would change.", numbers)
    order = ", and the order at the top would stay."
    return Finding(name, "look" if found.largest > SHIFT_LOOK else "fine", said + order, numbers)


def _flips(tensor: Tensor) -> tuple[Flip | None, Flip | None, str]:
    if not tensor.total:
        return None, None, "there are no votes"
    try:
        return votes_to_drop(tensor), votes_to_add(tensor), ""
    except EvalkitError as refused:
        return None, None, refused.message


def _flipped(board: _Board, drop: Flip | None, add: Flip | None, reason: str) -> Finding:
    asked = "How few votes decide who is first"
    if drop is None or add is None:
        return _unknown("flip budget", asked, reason)
    if drop.votes is None or drop.share is None:
        return _unknown("flip budget", asked, drop.reason or "")
    numbers = {"drop": float(drop.votes), "share": drop.share}
    numbers |= {"add": float(add.votes)} if add.votes is not None else {}
    many = board.votes.n and np.bincount(board.votes.rater).max() if board.votes is not None else None
    said = (
        f"Without {drop.votes:,} of the votes ({100 * drop.share:.2g} %) {drop.challenger} would be ahead "
        f"of {drop.leader}"
    )
    if many is not None:
        numbers["most votes of a rater"] = float(many)
        fewer = drop.votes <= many
        said += "; one rater gave as many." if fewer else f"; no rater gave more than {many:,}."
    else:
        fewer, said = drop.share <= FLIP_LOOK, said + "."
    return Finding("flip budget", "look" if fewer else "fine", said, numbers)


def _unknown(name: str, asked: str, reason: str) -> Finding:
    return Finding(name, None, f"{asked} is not known: {reason}.", {}, reason)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _list(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
