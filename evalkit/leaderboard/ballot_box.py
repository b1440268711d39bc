"""The votes a board is about, as columns of integers: from the studies of a workspace, or from a file.

Names become numbers inside DuckDB; no vote becomes a Python object. What a vote does not say (whose it is, on
which case) is taken to be shared with no other vote, and counted, so that a board can say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.leaderboard.query import rows, statement
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


@dataclass(frozen=True, slots=True)
class Box:
    """Votes in the order they were cast, with the names behind their numbers; "" where a name is unknown.

    `slice` (N) indexes `slices`, `unit` (N) numbers what was compared with what, `propensity` (N) is NaN
    where it was not logged. `unknown_raters` and `unknown_cases` count votes that do not say.
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

    @property
    def raters_unknown(self) -> bool:
        """No vote says whose it is."""
        return 0 < self.votes.n == self.unknown_raters

    @property
    def cases_unknown(self) -> bool:
        """No vote says on which case it is."""
        return 0 < self.votes.n == self.unknown_cases


def box_of(db: DuckDBPyConnection, question: Question, by: str | None = None) -> Box:
    """The votes a question is about, sliced by a column. Raises `UnknownName` for studies and columns."""
    check_studies(db, question.studies)
    if by is not None:
        _check_column(db, question, by)
    where = {
        "studies": list(question.studies),
        "criterion": question.criterion,
        "category": question.category,
    }
    db.execute(statement("chosen_votes"), {**where, "by": by or ""})
    found = _numbered(db, ", v.slice_number, v.unit, v.weight, v.propensity", "ORDER BY v.rowid")
    weight, propensity = (_floats(found[name]) for name in ("weight", "propensity"))
    weight = np.where(np.isnan(weight), 1.0, weight)
    box = _box(db, found, None if np.all(weight == 1.0) else weight)
    slices = tuple(str(row[0]) for row in rows(db, "vote_slices"))
    slice_of = np.asarray(found["slice_number"], dtype=np.int64)
    unit = np.asarray(_known(found["unit"])[0], dtype=np.int64)
    return replace(box, slices=slices, slice=slice_of, unit=unit, propensity=propensity)


def box_of_file(db: DuckDBPyConnection, path: Path) -> Box:
    """The votes of a Parquet file as `evalkit votes export` writes it. Raises `InvalidInput`."""
    _open_file(db, path)
    words = dict(rows(db, "counted_answers"))
    found = _numbered(db)
    expected = sum(words.get(answer, 0) for answer in ANSWERS)
    strange = set(words) - {*ANSWERS, SKIP}
    if strange or found["left"].size != expected or np.any(found["left"] == found["right"]):
        raise _faulty(db, path)
    return _box(db, found, None)


def tensor_of_file(db: DuckDBPyConnection, path: Path) -> Tensor:
    """The votes of such a file, counted: one GROUP BY, and no vote leaves the database."""
    _open_file(db, path)
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


def _open_file(db: DuckDBPyConnection, path: Path) -> None:
    import duckdb

    if path.suffix != ".parquet":
        raise UsageError(
            f"{path} is not a Parquet file", "Bring it in first: evalkit votes import FILE --study NAME"
        )
    db.execute("SET VARIABLE votes_file = $path", {"path": str(path)})
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


def _box(db: DuckDBPyConnection, found: dict[str, Any], weight: Floats | None) -> Box:
    case, raters = _known(found["case"]), _known(found["rater"])
    votes = Votes(
        _names(db, "vote_systems"), found["left"], found["right"], found["answer"], case[0], raters[0], weight
    )
    names = tuple(
        (*known, *[""] * (int(codes.max(initial=-1)) + 1 - len(known)))
        for known, codes in ((_names(db, "vote_raters"), votes.rater), (_names(db, "vote_cases"), votes.case))
    )
    nothing = np.zeros(0, dtype=np.int64)
    return Box(votes, names[0], names[1], (), nothing, nothing, np.zeros(0), raters[1], case[1])


def _known(codes: Integers) -> tuple[Integers, int]:
    """Labels with a number of its own for each vote that has none, and how many have none.

    Where no vote has one, all get the same: then nothing at all is known of what they share.
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


def _numbered(db: DuckDBPyConnection, more: str = "", order: str = "") -> dict[str, Any]:
    db.execute(statement("vote_names"))
    return db.execute(statement("numbered_votes").replace(" --more", more) + order).fetchnumpy()


def _names(db: DuckDBPyConnection, table: str) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in db.execute(f"SELECT name FROM {table} ORDER BY n").fetchall())


def _floats(column: Any) -> Floats:
    return np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan), dtype=np.float64)
