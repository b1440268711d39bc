"""What metrics say of comparisons nobody voted on: predictions that never saw the votes they are held to.

Knows comparisons with features, votes on some of them, and how to foretell the others. What the predictions
are good for, and whether they can be trusted, is in `assisted`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from evalkit.errors import InvalidInput
from evalkit.preference.votes import Floats, Integers, Ints

FOLDS = 5
ABILITY_PENALTY = 0.5
TOLERANCE, MAX_ITERATIONS, MAX_HALVINGS = 1e-9, 50, 30


@dataclass(frozen=True, slots=True)
class Population:
    """All N comparisons that an estimate is about, voted on or not.

    `first` and `second` index `systems`; `prompt` numbers clusters. `features` (N, M) are finite and change
    their sign when first and second change places: see `gaps_between`. `mass` (N) says how much each counts
    within its pair of systems (None: all alike), 1/R each for R pictures of one prompt, say.
    """

    systems: tuple[str, ...]
    first: Integers
    second: Integers
    prompt: Integers
    features: Floats
    mass: Floats | None = None

    def __post_init__(self) -> None:
        n = self.first.size
        if any(c.size != n for c in (self.second, self.prompt)) or self.features.shape[:1] != (n,):
            raise InvalidInput("the columns of the comparisons are not of one length")
        if not np.isfinite(self.features).all():
            raise InvalidInput("a feature is missing or infinite", "Make features with gaps_between.")
        if n and np.any(self.first == self.second):
            raise InvalidInput("a comparison is of a system with itself")
        if not _within(self.first, len(self.systems)) or not _within(self.second, len(self.systems)):
            raise InvalidInput("a comparison names a system that is not in the list of systems")
        _refuse_weights(self.mass, n)


@dataclass(frozen=True, slots=True)
class Labels:
    """n votes: each one's place in the population, its outcome for `first` (1, 0.5 or 0), and its rater.

    `weight` (n) is 1 / propensity, up to a factor for each pair of systems, where comparisons were not asked
    with equal chances; None means equal chances.
    """

    comparison: Integers
    outcome: Floats
    rater: Integers
    weight: Floats | None = None

    def __post_init__(self) -> None:
        n = self.comparison.size
        if self.outcome.size != n or self.rater.size != n:
            raise InvalidInput("the columns of the votes are not of one length")
        if not np.isin(self.outcome, (0.0, 0.5, 1.0)).all():
            raise InvalidInput("a vote's outcome is none of 1, 0.5 and 0")
        _refuse_weights(self.weight, n)


def gaps_between(values: Floats, first: Integers, second: Integers) -> Floats:
    """Features (N, M') of comparisons from `values` (pictures x M, NaN = missing).

    The first M are first minus second, 0 where a score is missing. For each output with missing scores
    follows one that says on which side: 1 where only the second lacks it, -1 where only the first does.
    Columns that say the same are given once, those that say nothing not at all.
    """
    there = np.isfinite(values)
    whole = np.where(there, values, 0.0)
    both = there[first] & there[second]
    gaps = np.where(both, whole[first] - whole[second], 0.0)
    lacking = there[first].astype(np.float64) - there[second]
    columns = np.hstack([gaps, lacking])
    columns = columns[:, np.any(columns != 0.0, axis=0)]
    _, places = np.unique(columns, axis=1, return_index=True)
    return np.asarray(columns[:, np.sort(places)])


def predicted(population: Population, labels: Labels, seed: int = 0) -> Floats:
    """How a vote on each comparison (N) would go by its features, as the votes on other prompts have it.

    1 / (1 + exp(-b x)): x are features about their mean over the pair of systems, so 0.5 is "as usual for
    these two", and how good systems are is not in it, nor which of them a metric likes. b is from a logistic
    regression of votes on abilities and x, without intercept. Ridge penalties: `ABILITY_PENALTY` on
    abilities, M on the M features, a normal prior under which all of them together move a vote by about one
    logit. Prompts are dealt into `FOLDS` folds, and b for a prompt is from the votes on the other folds: no
    prediction ever saw a vote on its own prompt. (With abilities in it, it would go down where the held-out
    votes went up, as it is their complement that went down.)
    """
    folds = _folds(population, labels, seed)
    votes = np.bincount(labels.comparison, minlength=folds.size).astype(np.float64)
    won = np.bincount(labels.comparison, weights=labels.outcome, minlength=folds.size)
    k, x = len(population.systems), _scaled(population)
    X = np.hstack([_abilities(population), x])
    penalty = np.concatenate([np.full(k, ABILITY_PENALTY), np.full(x.shape[1], float(x.shape[1]))])
    found = np.full(folds.size, 0.5)
    for fold in range(FOLDS):
        train, held = (folds != fold) & (votes > 0), folds == fold
        b = ridge_logistic(X[train], won[train], votes[train], penalty)
        found[held] = expit(x[held] @ b[k:])
    return found


def ridge_logistic(X: Floats, won: Floats, votes: Floats, penalty: Floats) -> Floats:
    """Coefficients b (M) with the largest won log p + (votes - won) log(1 - p) - sum(penalty b^2) / 2.

    p = 1 / (1 + exp(-X b)) for X (m, M); `penalty` (M) is positive, so there is one maximum. Newton's
    method, with steps halved until they do not lead down.
    """

    def height(at: Floats) -> float:
        z = X @ at
        return float((won * z - votes * np.logaddexp(0.0, z)).sum() - (penalty * at**2).sum() / 2.0)

    b = np.zeros(X.shape[1])
    for _ in range(MAX_ITERATIONS):
        p = expit(X @ b)
        H = (X * (votes * p * (1.0 - p))[:, None]).T @ X + np.diag(penalty)
        step = np.linalg.solve(H, X.T @ (won - votes * p) - penalty * b)
        if np.abs(step).max(initial=0.0) <= TOLERANCE:
            break
        here, halvings = height(b), 0
        while height(b + step) < here - TOLERANCE * abs(here) and halvings < MAX_HALVINGS:
            step, halvings = step / 2.0, halvings + 1
        b = b + step
    return b


def _abilities(population: Population) -> Floats:
    """+1 in the column of the first system, -1 in that of the second (N, K)."""
    rows = np.arange(population.first.size)
    X = np.zeros((rows.size, len(population.systems)))
    X[rows, population.first] = 1.0
    X[rows, population.second] = -1.0
    return X


def _scaled(population: Population) -> Floats:
    """Features about the mean of each pair of systems, in standard deviations within pairs.

    A feature that is constant within every pair tells nothing beyond abilities and is left out.
    """
    turned = np.where(population.first < population.second, 1.0, -1.0)[:, None]
    low, high = (f(population.first, population.second) for f in (np.minimum, np.maximum))
    _, pair = np.unique(np.column_stack([low, high]), axis=0, return_inverse=True)
    features, pair = population.features * turned, pair.ravel()
    mass = (np.ones(pair.size) if population.mass is None else population.mass)[:, None]
    means, whole = np.zeros((2, int(pair.max(initial=-1)) + 1, features.shape[1]))
    np.add.at(means, pair, mass * features)
    np.add.at(whole, pair, np.broadcast_to(mass, features.shape))
    x = features - (means / whole)[pair]
    spread: Floats = np.sqrt((x**2).mean(axis=0))
    kept = spread > 1e-9 * np.abs(features).max(axis=0, initial=0.0)
    return np.asarray(turned * x[:, kept] / spread[kept])


def _folds(population: Population, labels: Labels, seed: int) -> Ints:
    """The fold (N) of each comparison: prompts with votes are dealt evenly, and so are the others."""
    found, prompt = np.unique(population.prompt, return_inverse=True)
    voted = np.bincount(prompt[labels.comparison], minlength=found.size) > 0
    order = np.random.default_rng(seed).permutation(found.size)
    order = order[np.argsort(~voted[order], kind="stable")]
    fold = np.empty(found.size, dtype=np.int64)
    fold[order] = np.arange(found.size) % FOLDS
    return np.asarray(fold[prompt])


def _within(places: Integers, size: int) -> bool:
    return not places.size or bool(places.min() >= 0 and places.max() < size)


def _refuse_weights(weight: Floats | None, n: int) -> None:
    if weight is None:
        return
    if weight.size != n:
        raise InvalidInput("there is not one weight for each row")
    if not np.all(np.isfinite(weight) & (weight > 0)):
        raise InvalidInput("a weight is not a positive number", "Leave rows that cannot count out.")
