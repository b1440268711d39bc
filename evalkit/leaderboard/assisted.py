"""What raters say, sharpened by what metrics say of the pictures that no rater saw.

Reads one study's votes and its run's scores, and says what the shares are about. How votes and scores come
together, and when metrics may not help, is in `evalkit.preference.assisted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import UnknownName
from evalkit.leaderboard.query import rows, statement
from evalkit.preference.assisted import NO_VOTES, Assisted, AssistedShares, assisted_shares
from evalkit.preference.predictor import Labels, Population, gaps_between
from evalkit.preference.votes import Floats, Ints
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Columns = dict[str, Any]
PICKED = "the pairs of this study were picked, they are no fair sample"
IMPORTED = "these votes were imported: how their pairs were picked is not known"
NO_RUN = "this study is about no run, so no metric has seen its pictures"
NO_METRICS = "no metric tells these pictures apart"


@dataclass(frozen=True, slots=True)
class AssistedRow:
    """The share of votes that `system` wins against `opponent`, or against the field where that is empty.

    `share` is what to show: `assisted` if `used` says so, else `plain`, and then `reason` says why.
    `extra_votes` is what metrics are worth: 0.23 is as good as 23 % more votes. `weight`, `rho` and
    `unvoted` are those of `evalkit.preference.assisted.Assisted`.
    """

    system: str
    opponent: str
    share: Estimate
    plain: Estimate
    assisted: Estimate
    used: str
    reason: str
    extra_votes: float | None
    weight: float | None
    rho: float | None
    unvoted: float | None


@dataclass(frozen=True, slots=True)
class AssistedBoard:
    """Win rates against the field, best first, and shares of every pair of systems.

    `population` says in words what the shares are about. `outputs` are the numbers that predictions are made
    of. `incomplete` counts comparisons that lack a score somewhere: there a gap of 0 is taken, and which
    side lacks it is known to the prediction. `unmatched` counts votes on pictures that are not in the
    population; they are in no number here. `refused` is the reason where nothing could be assisted.
    """

    study: str
    criterion: str
    category: str | None
    population: str
    systems: tuple[AssistedRow, ...]
    pairs: tuple[AssistedRow, ...]
    outputs: tuple[str, ...]
    simulated: bool
    refused: str
    n_votes: int
    n_comparisons: int
    n_prompts: int
    incomplete: int
    unmatched: int


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the database."""

    run: str | None
    study: str
    criterion: str
    category: str | None
    simulated: bool

    @property
    def where(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("run", "study", "criterion", "category")}


@dataclass(frozen=True, slots=True)
class _Read:
    """Comparisons of cells that have votes, the votes on them, and how many votes are on something else."""

    population: Population
    labels: Labels
    outputs: tuple[str, ...]
    incomplete: int
    unmatched: int


def assisted_board(
    db: DuckDBPyConnection, study: str, criterion: str, category: str | None = None, *, seed: int = 0
) -> AssistedBoard:
    """Shares of votes over all comparisons of a study's run, on one criterion, over all categories or one.

    Within a category and pair of systems a study asks about every case with the same chance, but pairs and
    categories may differ in how often they were asked; so votes are weighted to what each has of the
    population. Simulated votes count where there are no others. Raises `UnknownName`.
    """
    question, systems, refused = _question(db, study, criterion, category)
    if question.run is None or not systems:
        return _empty(question, refused or NO_VOTES)
    read = _read(db, question, systems)
    refused = refused or ("" if read.population.features.shape[1] else NO_METRICS)
    shares = assisted_shares(read.population, read.labels, seed=seed, refuse=refused)
    return _board(question, read, shares, refused)


def _question(
    db: DuckDBPyConnection, study: str, criterion: str, category: str | None
) -> tuple[_Question, tuple[str, ...], str]:
    """The question, the systems that were voted on, and the reason why metrics must not assist."""
    found = rows(db, "assisted_study", study=study, criterion=criterion, category=category)
    if not found:
        known = db.execute("SELECT study FROM studies").fetchall()
        raise UnknownName("study", study, [str(name) for (name,) in known])
    run, selection, imported, criteria, by_people, votes, systems = found[0]
    if criterion not in (criteria or ()):
        raise UnknownName("criterion", criterion, criteria or ())
    refused = PICKED if selection else NO_RUN if run is None else IMPORTED if imported else ""
    simulated = bool(votes and not by_people)
    return _Question(run, study, criterion, category, simulated), tuple(systems), refused


def _read(db: DuckDBPyConnection, question: _Question, systems: tuple[str, ...]) -> _Read:
    everything = _columns(db, "assisted_comparisons", {**question.where, "systems": list(systems)})
    votes = _columns(db, "assisted_votes", {**question.where, "simulated": question.simulated})
    place = _places(everything, votes)
    there = place >= 0
    cell = _cells(everything, len(systems))
    kept = np.isin(cell, cell[place[there]])
    comparisons = {name: column[kept] for name, column in everything.items()}
    outputs, features, incomplete = _features(db, question, comparisons)
    population = Population(
        systems=systems,
        first=comparisons["first"],
        second=comparisons["second"],
        prompt=comparisons["prompt"],
        features=features,
        mass=comparisons["mass"],
    )
    labels = Labels(
        comparison=(np.cumsum(kept) - 1)[place[there]],
        outcome=votes["won"][there],
        rater=votes["rater"][there],
        weight=_weights(cell, everything["mass"], place[there], votes["weight"][there]),
    )
    return _Read(population, labels, outputs, incomplete, int((~there).sum()))


def _columns(db: DuckDBPyConnection, name: str, parameters: dict[str, Any]) -> Columns:
    found: Columns = db.execute(statement(name), parameters).fetchnumpy()
    return {
        key: np.asarray(column, dtype=np.float64 if key in ("mass", "won", "weight") else np.int64)
        for key, column in found.items()
    }


def _places(comparisons: Columns, votes: Columns) -> Ints:
    """Where the comparison of each vote is, -1 for nowhere. Comparisons come in the order of their trials."""
    size = 1 + max(int(columns["second_trial"].max(initial=0)) for columns in (comparisons, votes))
    known, wanted = (c["first_trial"] * size + c["second_trial"] for c in (comparisons, votes))
    at = np.searchsorted(known, wanted)
    hit = np.append(known, -1)[at] == wanted
    return np.where(hit & (votes["first_trial"] >= 0), at, -1)


def _cells(comparisons: Columns, systems: int) -> Ints:
    """A number for each comparison's category and pair of systems."""
    low, high = (f(comparisons["first"], comparisons["second"]) for f in (np.minimum, np.maximum))
    return np.asarray((comparisons["category"] * systems + low) * systems + high, dtype=np.int64)


def _weights(cell: Ints, mass: Floats, place: Ints, weight: Floats) -> Floats:
    """Votes weighted so that each category has, within a pair of systems, its share of the population."""
    _, code = np.unique(cell, return_inverse=True)
    whole = np.bincount(code, weights=mass)
    cast = np.bincount(code[place], weights=weight, minlength=whole.size)
    return np.asarray(weight * whole[code[place]] / cast[code[place]])


def _features(
    db: DuckDBPyConnection, question: _Question, comparisons: Columns
) -> tuple[tuple[str, ...], Floats, int]:
    """Outputs with a direction, features of the comparisons, and how many of these lack a score somewhere."""
    found = rows(db, "assisted_outputs", run=question.run)
    outputs = [str(name) for name, _ in found]
    trials = np.unique(np.concatenate([comparisons["first_trial"], comparisons["second_trial"]]))
    values = np.full((trials.size, len(outputs)), np.nan)
    if values.size:
        where = {"run": question.run, "trials": trials.tolist(), "outputs": outputs}
        scores = db.execute(statement("validity_values"), where).fetchnumpy()
        at = np.searchsorted(trials, np.asarray(scores["trial"], dtype=np.int64))
        values[at, np.asarray(scores["output"], dtype=np.int64)] = np.asarray(
            scores["value"], dtype=np.float64
        )
    values *= np.array([-1.0 if better == "lower" else 1.0 for _, better in found])
    told = np.isfinite(values).any(axis=0)
    first, second = (
        np.asarray(np.searchsorted(trials, comparisons[f"{side}_trial"])) for side in ("first", "second")
    )
    lacking = ~np.isfinite(values[:, told]).all(axis=1)
    features = gaps_between(values[:, told], first, second)
    names = tuple(name for name, there in zip(outputs, told, strict=True) if there)
    return names, features, int((lacking[first] | lacking[second]).sum())


def _board(question: _Question, read: _Read, shares: AssistedShares, refused: str) -> AssistedBoard:
    names, comparisons = shares.systems, int(read.population.first.size)
    prompts = int(np.unique(read.population.prompt).size)
    by_system = [_row(name, "", found) for name, found in zip(names, shares.by_system, strict=True)]
    return AssistedBoard(
        study=question.study,
        criterion=question.criterion,
        category=question.category,
        population=_told(question, len(names), comparisons, prompts),
        systems=tuple(sorted(by_system, key=_best_first)),
        pairs=tuple(
            _row(names[a], names[b], s) for (a, b), s in zip(shares.pairs, shares.by_pair, strict=True)
        ),
        outputs=read.outputs,
        simulated=question.simulated,
        refused=refused,
        n_votes=int(read.labels.comparison.size),
        n_comparisons=comparisons,
        n_prompts=prompts,
        incomplete=read.incomplete,
        unmatched=read.unmatched,
    )


def _told(question: _Question, systems: int, comparisons: int, prompts: int) -> str:
    return (
        f"{comparisons} comparisons of {systems} systems on {prompts} prompts of run {question.run}: each "
        "pair of systems, on each case of the suites voted on where both have a picture, voted on or "
        "not. Within a pair every case counts alike, and in a win rate every opponent. Prompts and raters "
        "are taken as a sample of others like them."
    )


def _row(system: str, opponent: str, found: Assisted) -> AssistedRow:
    return AssistedRow(
        system=system,
        opponent=opponent,
        share=found.estimate,
        plain=found.plain,
        assisted=found.assisted,
        used=found.used,
        reason=found.reason,
        extra_votes=found.extra_votes,
        weight=found.weight,
        rho=found.rho,
        unvoted=found.unvoted,
    )


def _best_first(row: AssistedRow) -> tuple[float, str]:
    return (1.0 if row.share.value is None else -row.share.value), row.system


def _empty(question: _Question, refused: str) -> AssistedBoard:
    return AssistedBoard(
        study=question.study,
        criterion=question.criterion,
        category=question.category,
        population="nothing",
        systems=(),
        pairs=(),
        outputs=(),
        simulated=question.simulated,
        refused=refused,
        n_votes=0,
        n_comparisons=0,
        n_prompts=0,
        incomplete=0,
        unmatched=0,
    )
