"""The columns of a file of votes: what each means, and what other people call it.

Which of a file's columns is which is decided here by name alone; what is in them is for `faults`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import InvalidInput, UnknownName, UsageError

Kind = Literal["votes", "rankings"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ours, what it holds, and the names it is recognised by, the likeliest first."""

    name: str
    meaning: str
    aliases: tuple[str, ...] = ()


COLUMNS = (
    Column(
        "ballot", "one rater's look at one pair; its answers share it", ("ballot_id", "vote_id", "battle_id")
    ),
    Column("criterion", "the question that was answered"),
    Column("answer", "left, right, tie, both_bad or skip", ("winner", "outcome")),
    Column("left_system", "the system on the left, or the first", ("left", "model_a", "system_a")),
    Column("right_system", "the system on the right, or the second", ("right", "model_b", "system_b")),
    Column("suite", "the suite of the case"),
    Column("category", "the suite's category"),
    Column("case", "the prompt or picture that was asked about", ("question_id", "prompt_id", "prompt")),
    Column("cluster", "cases that are variants of one thing share it"),
    Column(
        "rater", "who answered", ("rater_id", "judge", "judge_hash", "annotator", "annotator_id", "user_id")
    ),
    Column("session", "a sitting of a rater", ("session_id", "evaluation_session_id")),
    Column("left_trial", "the picture on the left"),
    Column("right_trial", "the picture on the right"),
    Column("t", "when, in UTC", ("tstamp", "timestamp", "time")),
    Column("propensity", "how likely the sampler was to choose this pair of pictures"),
    Column(
        "pair_propensity",
        "how likely it was to choose this pair of systems, on whichever case: what to weight a vote by",
    ),
    Column("visible_ms", "for how long the pair was on the screen, in ms", ("dwell_ms",)),
    Column("simulated", "true where no person answered"),
    Column("withdrawn", "true where one of the pictures was withdrawn: no rating reads the vote"),
    Column("weight", "how often the vote counts; 1 unless something else is said"),
    Column("extra", "further facts of a vote by name, as a JSON object (language, rater group, and so on)"),
)
RANKING_COLUMNS = (
    Column("ranking", "systems, best first; those ranked alike are in one list", ("order",)),
    *(
        c
        for c in COLUMNS
        if c.name in {"ballot", "criterion", "suite", "category", "case", "cluster", "rater", "t"}
    ),
)
SHORT = {"left": "left_system", "right": "right_system", "winner": "answer"}
"""Names that `--map` takes for ours."""
NOT_EXTRA = frozenset({"study"})
"""Columns of our own exports that say nothing about a vote."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file's columns are: ours -> theirs. `rest` are the others, in order."""

    kind: Kind
    columns: Mapping[str, str]
    rest: tuple[str, ...]

    def has(self, name: str) -> bool:
        return name in self.columns


def lay_out(file: str, names: Sequence[str], given: Mapping[str, str] | None = None) -> Layout:
    """Which column of a file is which of ours: as `given`, else by their names.

    An empty name in `given` says that the file has no such column. Raises `UsageError` and `UnknownName` for
    a mapping that cannot be, `InvalidInput` if what a vote needs is not there.
    """
    theirs = {name.lower(): name for name in reversed(names)}
    asked = _asked(given or {}, theirs)
    kind: Kind = "rankings" if _is_ranking(theirs, asked) else "votes"
    known = RANKING_COLUMNS if kind == "rankings" else COLUMNS
    taken = {name for name in asked.values() if name}
    found: dict[str, str] = {}
    for column in known:
        name = asked.get(column.name)
        if name is None:
            name = next((theirs[a] for a in _aliases(column, theirs) if theirs[a] not in taken), "")
        if name:
            found[column.name] = name
    _check_needed(file, kind, found, names)
    used = {*found.values(), *NOT_EXTRA}
    return Layout(kind, found, tuple(name for name in names if name not in used))


def _asked(given: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    ours = {column.name for column in (*COLUMNS, *RANKING_COLUMNS)}
    asked: dict[str, str] = {}
    for name, their in given.items():
        mine = SHORT.get(name, name)
        if mine not in ours:
            raise UnknownName("column of a vote", name, ours)
        if their and their.lower() not in theirs:
            raise UnknownName("column of the file", their, theirs.values())
        if their and theirs[their.lower()] in asked.values():
            raise UsageError(f"column {their!r} cannot be two things at once", "Map each column once.")
        asked[mine] = theirs[their.lower()] if their else ""
    return asked


def _is_ranking(theirs: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    if asked.get("ranking"):
        return True
    pairs = next(column for column in COLUMNS if column.name == "left_system")
    paired = asked.get("left_system") or any(name in theirs for name in (pairs.name, *pairs.aliases))
    return not paired and any(name in theirs for name in ("ranking", "order"))


def _aliases(column: Column, theirs: Mapping[str, str]) -> list[str]:
    # Arena files call a vote's own id `id`; elsewhere that is as likely the id of a prompt.
    more = ("id",) if column.name == "ballot" and "model_a" in theirs else ()
    return [name for name in (column.name, *column.aliases, *more) if name in theirs]


def _check_needed(file: str, kind: Kind, found: Mapping[str, str], names: Sequence[str]) -> None:
    needed = ("ranking",) if kind == "rankings" else ("left_system", "right_system", "answer")
    missing = [name for name in needed if name not in found]
    if missing:
        raise InvalidInput(
            f"{file} has no column for {', '.join(missing)}; its columns are: {', '.join(names) or 'none'}",
            f"Say which it is: {' '.join(f'--map {name}=COLUMN' for name in missing)}",
        )
