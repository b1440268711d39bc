"""The Plackett-Luce model: rankings of several systems, and votes on pairs beside them -> abilities.

A ranking is a series of choices: the best of all, then the best of the rest (Luce 1959; Plackett 1975). The
odds that k systems are chosen together, as tied, are delta_k * exp(mean of their theta), with delta_1 = 1
(Davidson-Luce: Firth, Kosmidis & Turner 2019; as in the R package PlackettLuce). On pairs this is Davidson's
model with nu = delta_2, and Bradley-Terry without ties. "Both bad" is a tie.

This module knows rankings and counts. Whether abilities exist is asked of `bradley_terry.connectivity`, with
the wins of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import logsumexp

from evalkit.errors import InvalidInput
from evalkit.preference.models import davidson
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.newton import Surface, maximum, pseudo_inverse
from evalkit.preference.rankings import Rankings
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import Floats, Ints

MAX_SETS = 4096
"""Most sets that one choice may be made from: ties of two or three among 28 systems make 3682."""
CELLS = 1 << 22
"""Numbers held at once for a batch of choices."""


@dataclass(frozen=True, slots=True)
class RankingFit:
    """`fitted` has the abilities, and one "log_delta_k" for each number k of systems seen tied.

    Its `left`, `right` and `others` are for votes on pairs. `scores` (N, K+Q), sparse, are the derivatives of
    the log-likelihood of each ranking, given once, by abilities and further parameters.
    """

    fitted: Fitted
    scores: csr_matrix


@dataclass(frozen=True, slots=True)
class Choices:
    """n choices alike in shape. `items` (n, r) are the alternatives, the `chosen` tied ones first.

    `sizes` are the numbers of systems that could have been chosen together; `ranking` (n) is whose choice it
    was, and `weight` (n) how often it was made.
    """

    items: Ints
    chosen: int
    sizes: tuple[int, ...]
    ranking: Ints
    weight: Floats


def fitted(rankings: Rankings, tensor: Tensor | None = None, weights: Floats | None = None) -> RankingFit:
    """Maximum likelihood of rankings and, if given, of the votes of `tensor`, `weights` (K, K, symmetric).

    Where no ranking (or no vote) is a tie, ties are taken not to have been on offer there. `converged` is
    false where the likelihood has no maximum. Raises InvalidInput where the systems of both differ, nothing
    was ever ranked above anything, or ties are too many to sum over.
    """
    if tensor is not None and tensor.systems != rankings.systems:
        raise InvalidInput("the rankings and the votes do not name the same systems in the same order")
    K, paired = len(rankings.systems), [] if tensor is None else pair_choices(tensor, weights)
    ranked, sizes = ranking_choices(rankings, 2 if any(choice.chosen == 2 for choice in paired) else 1)
    if all(choice.chosen > 1 for choice in (*ranked, *paired)):
        raise InvalidInput(
            "nothing was ever ranked above anything else, so nothing tells the systems apart",
            "Collect rankings that prefer something.",
        )
    counted = [part for choices in (*map(_counted, ranked), *paired) for part in _batches(choices)]
    peak = maximum(lambda x: surface(x, counted, K, sizes), np.zeros(K + len(sizes)), K)
    theta, extra = peak.x[:K], peak.x[K:]
    left, others = _pair_scores(theta, dict(zip(sizes, extra, strict=True)), paired)
    w = np.ones((K, K)) if weights is None else weights
    found = Fitted(
        model="plackett-luce",
        theta=theta,
        extra=extra,
        names=tuple(f"log_delta_{size}" for size in sizes),
        bread=pseudo_inverse(peak.surface.H, K),
        left=left * w,
        right=-left * w,
        others=others * w,
        log_likelihood=float(peak.surface.value),
        converged=bool(peak.converged),
    )
    return RankingFit(found, scores(peak.x, ranked, rankings, sizes))


def worth_in_pairs(systems: int) -> float:
    """Votes on pairs that tell as much as one ranking of so many equal systems: 2 (m - H_m).

    H_m = 1 + 1/2 + ... + 1/m. The trace of the information is m - H_m for a ranking and 1/2 for a pair.
    """
    return 2.0 * (systems - sum(1.0 / k for k in range(1, systems + 1)))


def ranking_choices(rankings: Rankings, tied: int = 1) -> tuple[list[Choices], tuple[int, ...]]:
    """The choices that rankings consist of, those of one shape together; and the sizes of ties seen, sorted.

    `tied` is the largest tie seen elsewhere. Raises InvalidInput where ties are too many to sum over.
    """
    shapes = _shapes(rankings)
    own = {chosen for _, chosen in shapes if chosen > 1}
    sizes = tuple(sorted(own | ({tied} - {1})))
    offered = sizes if own else ()
    choices = [
        _checked(Choices(items, c, (1, *(s for s in offered if s <= r)), rows, rankings.weights[rows]))
        for (r, c), (items, rows) in sorted(shapes.items())
    ]
    return choices, sizes


def surface(x: Floats, choices: list[Choices], K: int, sizes: tuple[int, ...]) -> Surface:
    """Log-likelihood and its slopes at x = (theta, ln delta of each of `sizes`) (K+Q).

    Every choice is an exponential family in x, so the information is that expected as well as that observed.
    """
    P = K + len(sizes)
    value, gradient, H = 0.0, np.zeros(P), np.zeros(P * P)
    for choice in choices:
        X, columns, own = _design(choice, K, sizes)
        log_chance = _log_chances(x, X, columns)
        chance = np.exp(log_chance)
        expected = chance @ X
        value += float((choice.weight * log_chance[:, own]).sum())
        pull = choice.weight[:, None] * (X[own] - expected)
        gradient += np.bincount(columns.ravel(), pull.ravel(), P)
        spread = np.matmul(X.T, chance[:, :, None] * X) - expected[:, :, None] * expected[:, None, :]
        cells = columns[:, :, None] * P + columns[:, None, :]
        H += np.bincount(cells.ravel(), (choice.weight[:, None, None] * spread).ravel(), P * P)
    return Surface(np.asarray(value), gradient, H.reshape(P, P))


def scores(x: Floats, choices: list[Choices], rankings: Rankings, sizes: tuple[int, ...]) -> csr_matrix:
    """Derivatives of the log-likelihood of each ranking at x, (N, K+Q); weights left out."""
    K, Q, M = len(rankings.systems), len(sizes), rankings.order.shape[1]
    count = rankings.given.sum(axis=1)
    pulls = np.zeros((rankings.n, M + Q))
    for choice in (part for each in choices for part in _batches(each)):
        X, columns, own = _design(choice, K, sizes)
        r, rows = choice.items.shape[1], choice.ranking[:, None]
        own_places = count[rows] - r + np.arange(r)
        places = np.concatenate([own_places, np.broadcast_to(np.arange(M, M + Q), (len(rows), Q))], axis=1)
        pulls[rows, places] += X[own] - np.exp(_log_chances(x, X, columns)) @ X
    known = np.concatenate([rankings.given, np.ones((rankings.n, Q), dtype=np.bool_)], axis=1)
    columns = np.concatenate([rankings.order, np.broadcast_to(np.arange(K, K + Q), (rankings.n, Q))], axis=1)
    ends = np.concatenate([[0], np.cumsum(count + Q)])
    return csr_matrix((pulls[known], columns[known], ends), shape=(rankings.n, K + Q))


def _log_chances(x: Floats, X: Floats, columns: Ints) -> Floats:
    """Of each set that could have been chosen, (n, sets)."""
    logits = x[columns] @ X.T
    return np.asarray(logits - logsumexp(logits, axis=1, keepdims=True))


def _design(choice: Choices, K: int, sizes: tuple[int, ...]) -> tuple[Floats, Ints, int]:
    """What each set is made of (sets, r+Q), which parameters those are (n, r+Q), and which set was chosen."""
    n, r = choice.items.shape
    X, own = _sets(r, choice.sizes, sizes, choice.chosen)
    extra = np.broadcast_to(np.arange(K, K + len(sizes)), (n, len(sizes)))
    return X, np.concatenate([choice.items, extra], axis=1), own


@lru_cache(maxsize=256)
def _sets(r: int, allowed: tuple[int, ...], sizes: tuple[int, ...], chosen: int) -> tuple[Floats, int]:
    sets = [members for size in allowed for members in combinations(range(r), size)]
    X = np.zeros((len(sets), r + len(sizes)))
    for row, members in enumerate(sets):
        X[row, list(members)] = 1.0 / len(members)
        if len(members) > 1:
            X[row, r + sizes.index(len(members))] = 1.0
    return X, sets.index(tuple(range(chosen)))


def _shapes(rankings: Rankings) -> dict[tuple[int, int], tuple[Ints, Ints]]:
    """Choices of each shape (alternatives, of which chosen): the alternatives (n, r) and whose choice (n).

    The last system of a ranking is no choice.
    """
    given = rankings.given
    count, base = given.sum(axis=1), rankings.order.shape[1] + 1
    found: dict[tuple[int, int], list[tuple[Ints, Ints]]] = {}
    for start in range(rankings.order.shape[1] - 1):
        tied = (rankings.rank == rankings.rank[:, [start]]) & given
        first = (tied.argmax(axis=1) == start) & (count - start > 1)
        shapes = np.where(first, (count - start) * base + tied.sum(axis=1), 0)
        for shape in np.unique(shapes[first]).tolist():
            r, c = divmod(shape, base)
            rows = np.flatnonzero(shapes == shape)
            found.setdefault((r, c), []).append((rankings.order[rows, start : start + r], rows))
    return {
        shape: (np.concatenate([items for items, _ in blocks]), np.concatenate([rows for _, rows in blocks]))
        for shape, blocks in found.items()
    }


def pair_choices(tensor: Tensor, weights: Floats | None) -> list[Choices]:
    w = 1.0 if weights is None else weights
    beaten, tied = tensor.beaten * w, np.triu(tensor.tied * w)
    sizes = (1, 2) if tied.any() else (1,)
    found = []
    for chosen, counts in ((1, beaten), (2, tied)):
        i, j = np.nonzero(counts)
        if i.size:
            nobody = np.zeros(0, dtype=np.int64)
            found.append(Choices(np.stack([i, j], axis=1), chosen, sizes, nobody, counts[i, j]))
    return found


def _pair_scores(theta: Floats, log_delta: dict[int, float], paired: list[Choices]) -> tuple[Floats, Floats]:
    """Scores of one vote on a pair: by theta[left] (4, K, K), and by the further parameters (Q, 4, K, K)."""
    tied = any(2 in choice.sizes for choice in paired)
    left, by_nu = davidson.scores(theta, log_delta[2] if tied else -np.inf)
    others = np.zeros((len(log_delta), *left.shape))
    if tied:
        others[list(log_delta).index(2)] = by_nu
    return left, others


def _counted(choice: Choices) -> Choices:
    """The same choices, each kind once with its weight: all that the likelihood needs to know of them."""
    c, K = choice.chosen, int(choice.items.max(initial=0)) + 1
    r = choice.items.shape[1]
    if K**r >= 1 << 62:
        return choice
    sets = np.concatenate(
        [np.sort(choice.items[:, :c], axis=1), np.sort(choice.items[:, c:], axis=1)], axis=1
    )
    keys = sets @ (K ** np.arange(r, dtype=np.int64))
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    weight = np.asarray(np.bincount(kind, choice.weight), dtype=np.float64)
    return Choices(sets[first], c, choice.sizes, choice.ranking[first], weight)


def _batches(choice: Choices) -> Iterator[Choices]:
    r = choice.items.shape[1] + len(choice.sizes)
    rows = max(CELLS // (r * max(r, sum(comb(r, size) for size in choice.sizes))), 1)
    for start in range(0, len(choice.items), rows):
        part = slice(start, start + rows)
        yield Choices(
            choice.items[part], choice.chosen, choice.sizes, choice.ranking[part], choice.weight[part]
        )


def _checked(choice: Choices) -> Choices:
    if sum(comb(choice.items.shape[1], size) for size in choice.sizes) > MAX_SETS:
        raise InvalidInput(
            f"ties of {max(choice.sizes)} among {choice.items.shape[1]} systems are too many to sum over",
            "Break the largest ties, or split the rankings into shorter ones.",
        )
    return choice
