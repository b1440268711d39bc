"""What people said about pairs of pictures, and what the metrics say about the same pictures.

Reads votes and scores into arrays, one part per criterion and category; `evalkit.leaderboard.validity` and
`disagreements` draw conclusions. Four kinds of votes stay out: those of studies whose pairs were picked for
a reason (no fair sample), those on withdrawn pictures, those on two pictures that are equal to the byte
(nothing to see), and simulated ones as soon as there is a vote of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import UnknownName
from evalkit.leaderboard.metrics import BoardRow
from evalkit.leaderboard.query import rows, statement
from evalkit.stats.clusters import Floats
from evalkit.stats.twoway import Ints
from evalkit.stats.validity import Judgements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that was voted on."""

    trial: str
    system: str
    suite: str
    case: str
    image: str


@dataclass(frozen=True, slots=True)
class Part:
    """The votes on one criterion in one category.

    `first` and `second` (P) say which pictures each pair of `votes` shows, as places in `Evidence.pictures`.
    `identical` counts the votes that were left out because both pictures are the same.
    """

    criterion: str
    category: str
    votes: Judgements
    first: Ints
    second: Ints
    identical: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Votes and scores of a run.

    `values` (pictures x outputs) is NaN where a score is missing; columns are in the order of `outputs`.
    `set_aside` names the studies whose pairs were picked for a reason; `picked` says that the one study that
    counts is such a study. `simulated`: no person gave these votes.
    """

    studies: tuple[str, ...]
    set_aside: tuple[str, ...]
    simulated: bool
    parts: tuple[Part, ...]
    pictures: tuple[Shown, ...]
    outputs: tuple[str, ...]
    values: Floats
    picked: bool = False

    def gaps(self, part: Part, lines: Sequence[BoardRow]) -> Floats:
        """First minus second of every pair (P x lines), turned so that more is better."""
        columns = [self.outputs.index(f"{line.metric}/{line.output}") for line in lines]
        signs = np.array([-1.0 if line.better == "lower" else 1.0 for line in lines])
        values = self.values[:, columns]
        return np.asarray((values[part.first] - values[part.second]) * signs)


def read_evidence(
    db: DuckDBPyConnection, board: Sequence[BoardRow], run: str, studies: Sequence[str] | None = None
) -> Evidence:
    """Votes of the named studies (default: all of the run) and the scores of the pictures they show.

    `board` is the run's metric board; outputs without a better direction are left out. A study whose pairs
    were picked counts only if it is named. Raises `UnknownName`.
    """
    used, aside, simulated, picked = _studies(db, run, studies)
    outputs = tuple(dict.fromkeys(f"{r.metric}/{r.output}" for r in board if r.better != "neither"))
    votes = _votes(db, run, used, simulated, list(dict.fromkeys(row.category for row in board)))
    trials = np.unique(np.concatenate([votes["first"], votes["second"]])) if votes else np.zeros(0, np.int64)
    numbers = trials.tolist()
    pictures = tuple(Shown(*row) for row in rows(db, "validity_pictures", run=run, trials=numbers))
    values = _values(db, run, trials, outputs)
    return Evidence(used, aside, simulated, _parts(votes, trials), pictures, outputs, values, picked)


def _studies(
    db: DuckDBPyConnection, run: str, names: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...], bool, bool]:
    """Studies that count, those set aside; whether the votes that count are simulated, or on picked pairs."""
    found = rows(db, "validity_studies", run=run, names=list(names) if names is not None else None)
    known = {str(row[0]) for row in found}
    for name in names or ():
        if name not in known:
            every = db.execute("SELECT study FROM studies ORDER BY study").fetchall()
            raise UnknownName("study", name, [str(row[0]) for row in every])
    alone = names is not None and len(found) == 1
    used = [row for row in found if alone or not row[1]]
    people = sum(ballots - simulated for _, _, simulated, ballots in used)
    aside = tuple(str(row[0]) for row in found if row not in used)
    simulated = people == 0 and any(row[3] for row in used)
    return tuple(str(row[0]) for row in used), aside, simulated, any(row[1] for row in used)


def _votes(
    db: DuckDBPyConnection, run: str, studies: Sequence[str], simulated: bool, categories: Sequence[str]
) -> Columns:
    asked = db.execute(
        "SELECT DISTINCT unnest(criteria) AS c FROM studies WHERE list_contains(?, study) ORDER BY c",
        [list(studies)],
    ).fetchall()
    criteria = [str(row[0]) for row in asked]
    where = {"run": run, "studies": list(studies), "simulated": simulated}
    lists = {"criteria": criteria, "categories": list(categories)}
    found: Columns = db.execute(statement("validity_votes"), {**where, **lists}).fetchnumpy()
    columns = {name: np.asarray(column, dtype=np.int64) for name, column in found.items()}
    return {**columns, "criteria": criteria, "categories": categories} if columns["first"].size else {}


def _parts(votes: Columns, trials: Ints) -> tuple[Part, ...]:
    if not votes:
        return ()
    wide = len(votes["categories"])
    code = votes["criterion"] * wide + votes["category"]
    return tuple(
        _part(
            {
                name: votes[name][code == part]
                for name in ("prompt", "rater", "first", "second", "answer", "same")
            },
            trials,
            (votes["criteria"][part // wide], votes["categories"][part % wide]),
        )
        for part in np.unique(code)
    )


def _part(votes: Columns, trials: Ints, name: tuple[str, str]) -> Part:
    seen = votes["same"] == 0
    first, second = (np.searchsorted(trials, votes[side][seen]) for side in ("first", "second"))
    pairs, pair = np.unique(np.column_stack([first, second]), axis=0, return_inverse=True)
    judged = Judgements(pair.ravel(), votes["prompt"][seen], votes["rater"][seen], votes["answer"][seen])
    return Part(*name, judged, pairs[:, 0], pairs[:, 1], int((~seen).sum()))


def _values(db: DuckDBPyConnection, run: str, trials: Ints, outputs: Sequence[str]) -> Floats:
    values = np.full((trials.size, len(outputs)), np.nan)
    if values.size:
        found = db.execute(
            statement("validity_values"), {"run": run, "trials": trials.tolist(), "outputs": list(outputs)}
        ).fetchnumpy()
        places = np.searchsorted(trials, np.asarray(found["trial"], dtype=np.int64))
        values[places, np.asarray(found["output"], dtype=np.int64)] = np.asarray(
            found["value"], dtype=np.float64
        )
    return values
