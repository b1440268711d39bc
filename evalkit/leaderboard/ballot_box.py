"""The votes a board is about, as columns of integers: from the studies of a workspace, or from a file.

Rankings of studies come beside them. Names become numbers inside DuckDB; no vote becomes a Python object.
What a vote does not say (whose it is, on which case) is taken to be shared with no other vote, and counted,
so that a board can say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.leaderboard.query import rows, statement
from evalkit.preference.joint import Ranked
from evalkit.preference.rankings import Rankings
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import Floats, Integers, Ints, Votes
from evalkit.types import ANSWERS, SKIP

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = ("category", "tag", "suite", "case", "criterion", "rater", "study")
"""What any study can be sliced by; imported votes also by the columns they came with."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which votes: those of `studies` on one criterion (None: on all), in one category (None: in all)."""

    studies: tuple[str, ...]
    criterion: str | None = None
    category: str | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        """As parameters of a statement."""
        return {"studies": list(self.studies), "criterion": self.criterion, "category": self.category}


@dataclass(frozen=True, slots=True)
class Box:
    """Votes in the order they were cast, with the names behind their numbers; "" where a name is unknown.

    `slice` (N) indexes `slices`, `unit` (N) numbers what was compared with what, `propensity` (N) is the
    logged chance of the pair of systems, NaN where there is none. `ranked` are rankings given beside the
    votes, of the same systems, raters and cases. `unknown_raters` and `unknown_cases` count votes and
    rankings that do not say; `withdrawn` counts rankings that are left out.
    """

    votes: Votes
    raters: tuple[str, ...]
    cases: tuple[str, ...]
    slices: tuple[str, ...]
    slice: Ints
    unit: Ints
    propensity: Floats
    unknown_raters: int
    unknown_cases: int
    ranked: Ranked | None = None
    withdrawn: int = 0

    @property
    def n(self) -> int:
        """Votes and rankings."""
        return self.votes.n + (0 if self.ranked is None else self.ranked.n)

    @property
    def raters_unknown(self) -> bool:
        """Nothing says whose it is."""
        return 0 < self.n == self.unknown_raters

    @property
    def cases_unknown(self) -> bool:
        """Nothing says on which case it is."""
        return 0 < self.n == self.unknown_cases


def box_of(db: DuckDBPyConnection, question: Question, by: str | None = None) -> Box:
    """The votes a question is about, sliced by a column. Raises `UnknownName` for studies and columns."""
    check_studies(db, question.studies)
    if by is not None:
        _check_column(db, question, by)
    db.execute(statement("chosen_votes"), {**question.chosen, "by": by or ""})
    return _box_of_chosen(db)


def box_with_rankings(db: DuckDBPyConnection, question: Question) -> Box:
    """The votes and the rankings a question is about.

    Raises `UnknownName` for studies, and `InvalidInput` for a ranking of fewer than two systems, or of one
    system twice.
    """
    check_studies(db, question.studies)
    db.execute(statement("chosen_votes"), {**question.chosen, "by": ""})
    db.execute(statement("chosen_rankings"), question.chosen)
    for study, ballot, systems in rows(db, "ranking_faults"):
        what = "fewer than two systems" if systems < 2 else "a system twice"
        raise InvalidInput(
            f"a ranking names {what}: ballot {ballot} of study {study}", "Correct it, or take it back."
        )
    ((ranked, withdrawn),) = rows(db, "rankings_chosen")
    return replace(_box_of_chosen(db, ranked=ranked > 0), withdrawn=withdrawn)


def _box_of_chosen(db: DuckDBPyConnection, ranked: bool = False) -> Box:
    found = _numbered(db, ", v.slice_number, v.unit, v.weight, v.propensity", "ORDER BY v.rowid", ranked)
    weight, propensity = (_floats(found[name]) for name in ("weight", "propensity"))
    weight = np.where(np.isnan(weight), 1.0, weight)
    box = _box(db, found, None if np.all(weight == 1.0) else weight, ranked)
    slices = tuple(str(row[0]) for row in rows(db, "vote_slices"))
    slice_of = np.asarray(found["slice_number"], dtype=np.int64)
    unit = np.asarray(_known(found["unit"])[0], dtype=np.int64)
    return replace(box, slices=slices, slice=slice_of, unit=unit, propensity=propensity)


def box_of_file(db: DuckDBPyConnection, path: Path, criterion: str | None = None) -> Box:
    """The votes of a Parquet file as `evalkit votes export` writes it, on one criterion if it names any.

    Raises `InvalidInput`, naming rows that are no votes.
    """
    _open_file(db, path, criterion)
    words = dict(rows(db, "counted_answers"))
    ((weighted,),) = rows(db, "file_weights")
    found = _numbered(db, ", v.weight" if weighted else "")
    expected = sum(words.get(answer, 0) for answer in ANSWERS)
    strange = set(words) - {*ANSWERS, SKIP}
    if strange or found["left"].size != expected or np.any(found["left"] == found["right"]):
        raise _faulty(db, path)
    weight = _floats(found["weight"]) if weighted else None
    return _box(db, found, None if weight is None else np.where(np.isnan(weight), 1.0, weight))


def criteria_of_file(db: DuckDBPyConnection, path: Path) -> tuple[str, ...]:
    """The criteria a file of votes names; none if it has no such column. Raises `InvalidInput`."""
    _open_file(db, path)
    return tuple(str(name) for (name,) in rows(db, "file_criteria"))


def tensor_of_file(db: DuckDBPyConnection, path: Path, criterion: str | None = None) -> Tensor:
    """The votes of such a file, counted: one GROUP BY, and no vote leaves the database."""
    _open_file(db, path, criterion)
    counted = [row for row in rows(db, "counted_votes") if row[2] != SKIP]
    if any(None in row or row[0] == row[1] or row[2] not in ANSWERS for row in counted):
        raise _faulty(db, path)
    systems = tuple(sorted({name for row in counted for name in row[:2]}))
    place = {name: i for i, name in enumerate(systems)}
    counts = np.zeros((4, len(systems), len(systems)))
    for left, right, answer, votes in counted:
        counts[ANSWERS.index(answer), place[left], place[right]] = votes
    return Tensor(systems, counts)


def check_studies(db: DuckDBPyConnection, studies: Sequence[str]) -> None:
    """Raises `UnknownName` for a study that is not there."""
    known = [str(name) for (name,) in db.execute("SELECT study FROM studies ORDER BY study").fetchall()]
    for study in studies:
        if study not in known:
            raise UnknownName("study", study, known)


def columns_of(db: DuckDBPyConnection, studies: Sequence[str]) -> list[str]:
    """What these studies can be sliced by."""
    own = rows(db, "vote_columns", studies=list(studies))
    return [*COLUMNS, *(str(name) for (name,) in own if name not in (*COLUMNS, "tags"))]


def _check_column(db: DuckDBPyConnection, question: Question, by: str) -> None:
    if by not in COLUMNS and by not in (known := columns_of(db, question.studies)):
        raise UnknownName("column to slice by", by, known)


def _open_file(db: DuckDBPyConnection, path: Path, criterion: str | None = None) -> None:
    import duckdb

    if path.suffix != ".parquet":
        raise UsageError(
            f"{path} is not a Parquet file", "Bring it in first: evalkit votes import FILE --study NAME"
        )
    db.execute("SET VARIABLE votes_file = $path", {"path": str(path)})
    db.execute("SET VARIABLE votes_criterion = $criterion", {"criterion": criterion})
    try:
        db.execute(statement("chosen_file"))
    except duckdb.Error as error:
        raise InvalidInput(
            f"{path} cannot be read as votes: {str(error).splitlines()[0]}",
            "It needs the columns left_system, right_system, answer, case, rater (see docs/votes.md); "
            "other files: evalkit votes import FILE --study NAME",
        ) from error


def _faulty(db: DuckDBPyConnection, path: Path) -> InvalidInput:
    """What is wrong with a file, naming rows."""
    named = "; ".join(
        f"{fault} ({times:,}: row {', '.join(map(str, some))}{', ...' if times > len(some) else ''})"
        for fault, times, some in rows(db, "file_faults")
    )
    return InvalidInput(
        f"{path.name} has rows that are no votes: {named}",
        "Correct them, or bring in the rest: evalkit votes import FILE --study NAME --skip-bad-rows",
    )


def _box(db: DuckDBPyConnection, found: dict[str, Any], weight: Floats | None, ranked: bool = False) -> Box:
    n, systems = found["left"].size, _names(db, "vote_systems")
    rankings, labels = _rankings(db, systems) if ranked else (None, {})
    (case, no_case), (rater, no_rater) = (
        _known(np.concatenate([found[what], labels[what]]) if labels else found[what])
        for what in ("case", "rater")
    )
    votes = Votes(systems, found["left"], found["right"], found["answer"], case[:n], rater[:n], weight)
    raters, cases = (
        (*known, *[""] * (int(codes.max(initial=-1)) + 1 - len(known)))
        for known, codes in ((_names(db, "vote_raters"), rater), (_names(db, "vote_cases"), case))
    )
    nothing = np.zeros(0, dtype=np.int64)
    beside = None if rankings is None else Ranked(rankings, case[n:], rater[n:])
    return Box(votes, raters, cases, (), nothing, nothing, np.zeros(0), no_rater, no_case, beside)


def _rankings(db: DuckDBPyConnection, systems: tuple[str, ...]) -> tuple[Rankings, dict[str, Ints]]:
    """The rankings chosen, and the case and rater of each, -1 where it does not say."""
    found = db.execute(statement("numbered_rankings")).fetchnumpy()
    ranking, column = (np.asarray(found[name], dtype=np.int64) for name in ("ranking", "position"))
    _, first = np.unique(ranking, return_index=True)
    order = np.full((first.size, int(column.max()) + 1), -1, dtype=np.int64)
    rank = np.zeros_like(order)
    order[ranking, column], rank[ranking, column] = found["system"], found["place"]
    labels = {what: np.asarray(found[what][first], dtype=np.int64) for what in ("case", "rater")}
    return Rankings(systems, order, rank), labels


def _known(codes: Integers) -> tuple[Integers, int]:
    """Labels with a number of its own for each one that has none, and how many have none.

    Where none has one, all get the same: then nothing at all is known of what they share.
    """
    unknown = codes < 0
    missing = int(unknown.sum())
    if missing == 0:
        return codes, 0
    if missing == codes.size:
        return np.zeros_like(codes), missing
    labels = codes.astype(np.int64)
    labels[unknown] = int(codes.max()) + 1 + np.arange(missing)
    return labels, missing


def _numbered(
    db: DuckDBPyConnection, more: str = "", order: str = "", ranked: bool = False
) -> dict[str, Any]:
    db.execute(statement("vote_names"))
    if ranked:
        db.execute(statement("ranking_names"))
    return db.execute(statement("numbered_votes").replace(" --more", more) + order).fetchnumpy()


def _names(db: DuckDBPyConnection, table: str) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in db.execute(f"SELECT name FROM {table} ORDER BY n").fetchall())


def _floats(column: Any) -> Floats:
    return np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan), dtype=np.float64)
