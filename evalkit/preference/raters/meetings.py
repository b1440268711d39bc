"""What each rater said whenever two systems met: sparse counts per rater and pair.

However many votes there were, this has one entry per rater and pair that met before that rater. It knows how
votes are counted, and what can be said of a rater by counting; models of raters are in `tastes`, what
follows from them in `reliability` and `anomalies`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import InvalidInput
from evalkit.preference.votes import LEFT, RIGHT, Floats, Ints, Votes

BLOCK = 1 << 22
"""Numbers in a stack of (rater, system, system) matrices that are held at once."""


@dataclass(frozen=True, slots=True)
class Meetings:
    """E entries, sorted by rater: what `rater` said of the systems `first` < `second`.

    `won` are votes for the first, `lost` for the second, `tied` for neither (ties and "both bad"). `left` and
    `right` (R) are each rater's votes for the picture on that side. Votes count with their weights.
    """

    rater: Ints
    first: Ints
    second: Ints
    won: Floats
    lost: Floats
    tied: Floats
    left: Floats
    right: Floats
    systems: int

    @property
    def raters(self) -> int:
        return int(self.left.size)

    @property
    def decisive(self) -> Floats:
        """Votes for one of the two pictures, per rater (R)."""
        return np.asarray(self.left + self.right)

    @property
    def neither(self) -> Floats:
        """Ties and "both bad", per rater (R)."""
        return self.per_rater(self.tied)

    def per_rater(self, values: Floats) -> Floats:
        """Sums of `values` (E) by rater (R)."""
        return summed(self.rater, values, self.raters)

    def reversed(self) -> Meetings:
        """As if everybody had meant the other picture."""
        return replace(self, won=self.lost, lost=self.won, left=self.right, right=self.left)

    def shown(self, system: int) -> tuple[Floats, Floats]:
        """Decisive votes for and against one system, per rater (R)."""
        first, second = self.first == system, self.second == system
        chosen = self.per_rater(first * self.won + second * self.lost)
        return chosen, self.per_rater(first * self.lost + second * self.won)

    def decided(self) -> Meetings:
        """Only the votes for one of the two."""
        return replace(self, tied=np.zeros_like(self.tied))

    def pooled(self, weight: Floats | None = None) -> Meetings:
        """Everybody's votes as those of one rater, each rater's counted `weight` (R) times."""
        w = np.ones(self.rater.size) if weight is None else weight[self.rater]
        cells, place = np.unique(self.first * self.systems + self.second, return_inverse=True)
        won, lost, tied = (
            summed(place, column * w, cells.size) for column in (self.won, self.lost, self.tied)
        )
        w = np.ones(self.raters) if weight is None else weight
        left, right = (np.array([(side * w).sum()]) for side in (self.left, self.right))
        nobody = np.zeros(cells.size, dtype=np.int64)
        first, second = np.divmod(cells, self.systems)
        return Meetings(nobody, first, second, won, lost, tied, left, right, self.systems)

    def beaten(self) -> Floats:
        """How often i was chosen over j by each rater (R, K, K): many numbers, see `blocks`."""
        k = self.systems
        matrices = np.zeros((self.raters, k, k))
        matrices[self.rater, self.first, self.second] = self.won
        matrices[self.rater, self.second, self.first] = self.lost
        return matrices

    def blocks(self) -> Iterator[tuple[slice, Meetings]]:
        """The raters in runs short enough for a K x K matrix each, and the meetings of each run."""
        size = max(1, BLOCK // self.systems**2)
        for start in range(0, self.raters, size):
            run = slice(start, min(start + size, self.raters))
            yield run, self._run(run)

    def _run(self, run: slice) -> Meetings:
        low, high = np.searchsorted(self.rater, [run.start, run.stop])
        part = slice(int(low), int(high))
        columns = (self.first, self.second)
        first, second = (column[part] for column in columns)
        won, lost, tied = (column[part] for column in (self.won, self.lost, self.tied))
        numbers = self.rater[part] - run.start
        return Meetings(
            numbers, first, second, won, lost, tied, self.left[run], self.right[run], self.systems
        )


@dataclass(frozen=True, slots=True)
class Receipts:
    """What can be counted of each rater (R): all votes, those for one of the two, two shares of the latter.

    `agreement` is the share that went with the majority of all other raters on the same pair of systems,
    where these had one; `left` the share for the picture on the left. NaN where there is nothing to share.
    """

    votes: Floats
    decisive: Floats
    agreement: Floats
    left: Floats

    def reason(self, rater: int, kind: str) -> str:
        """Why a rater may be of this kind (left, right, adversarial, or as good as a coin), in counts."""
        decisive = f"{self.decisive[rater]:.0f} decisive votes"
        if not self.decisive[rater]:
            return f"never chose one of the two pictures in {self.votes[rater]:.0f} votes"
        if kind in ("left", "right"):
            share = self.left[rater] if kind == "left" else 1.0 - self.left[rater]
            return f"chose the picture on the {kind} in {share:.0%} of {decisive}"
        what = "chose against the others" if kind == "adversarial" else "chose as a coin would"
        agreement = known(self.agreement[rater])
        sided = (
            "no majority to compare with in"
            if agreement is None
            else f"with the others in {agreement:.0%} of"
        )
        return f"{what}: {sided} {decisive}"


def known(share: float) -> float | None:
    """A share, or None where there was nothing to share."""
    return None if np.isnan(share) else float(share)


def meetings_of(votes: Votes) -> Meetings:
    """Count votes by rater and pair. Raises `InvalidInput` for a rater below 0."""
    if votes.n and int(votes.rater.min()) < 0:
        raise InvalidInput("a vote has a rater below 0", "Number the raters from 0.")
    k, raters = len(votes.systems), int(votes.rater.max()) + 1 if votes.n else 0
    keys, counts, left, right = _counted(votes, k, raters)
    rater, pair = np.divmod(keys, k * k)
    first, second = np.divmod(pair, k)
    won, lost, tied = counts
    return Meetings(rater, first, second, won, lost, tied, left, right, k)


def receipts(meetings: Meetings) -> Receipts:
    """What each rater's votes come to by counting alone."""
    decisive = meetings.decisive
    pair = meetings.first * meetings.systems + meetings.second
    lead = meetings.won - meetings.lost
    others = summed(pair, lead, meetings.systems**2)[pair] - lead
    shared = np.where(others != 0, meetings.won + meetings.lost, 0.0)
    with_them = np.where(others > 0, meetings.won, np.where(others < 0, meetings.lost, 0.0))
    return Receipts(
        votes=decisive + meetings.neither,
        decisive=decisive,
        agreement=_share(meetings.per_rater(with_them), meetings.per_rater(shared)),
        left=_share(meetings.left, decisive),
    )


def summed(place: Ints, values: Floats, size: int) -> Floats:
    """Sums of `values` by their `place`, from 0 to `size` - 1."""
    return np.bincount(place, weights=values, minlength=size).astype(np.float64, copy=False)


def _counted(votes: Votes, k: int, raters: int) -> tuple[Ints, list[Floats], Floats, Floats]:
    """Keys of (rater, first, second) in order, three counts for each, and sides per rater.

    Sorting the keys of all votes once is what this costs; equal ones are then added up.
    """
    low, high = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    keys, place = np.unique((votes.rater.astype(np.int64) * k + low) * k + high, return_inverse=True)
    turned = votes.left > votes.right
    chose_left, chose_right = votes.answer == LEFT, votes.answer == RIGHT
    said = np.where(chose_left | chose_right, (chose_left == turned).astype(np.int64), 2)
    flat = np.bincount(place * 3 + said, weights=votes.weight, minlength=3 * keys.size).reshape(-1, 3)
    weight = np.ones(votes.n) if votes.weight is None else votes.weight
    left, right = (
        np.bincount(votes.rater[side], weights=weight[side], minlength=raters).astype(np.float64)
        for side in (chose_left, chose_right)
    )
    return keys, [flat[:, i].astype(np.float64) for i in range(3)], left, right


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(whole.size, np.nan), where=whole > 0))
