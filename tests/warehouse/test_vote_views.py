"""Undone, withdrawn, ranked and imported: what the views make of each kind of record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evalkit.store import Workspace
from evalkit.warehouse import connect, refresh

T = "2026-01-01T00:00:{:02d}.000000Z"
VIEWS = ("votes", "ballots", "rankings", "undos")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


def write(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def ballot(name: str, answer: str, second: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "ballot", "study": "st", "ballot": name, "comparison": "c", "suite": "s", "case": "c0",
        "rater": "r", "left": {"system": "A", "trial": "00"}, "right": {"system": "B", "trial": "01"},
        "t": T.format(second), "answers": {"appeal": answer}, **more,
    }  # fmt: skip


def undo(name: str, second: int, rater: str = "r") -> dict[str, Any]:
    return {"type": "undo", "study": "st", "ballot": name, "rater": rater, "t": T.format(second)}


def ranking(order: list[list[str]], second: int) -> dict[str, Any]:
    where = {"study": "st", "ballot": "k", "suite": "s", "case": "c0", "rater": "r"}
    return {"type": "ranking", **where, "criterion": "appeal", "order": order, "t": T.format(second)}


def ask(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with connect(workspace) as db:
        return db.execute(query).fetchall()


def dump(workspace: Workspace) -> dict[str, list[str]]:
    return {view: sorted(map(repr, ask(workspace, f"SELECT * FROM {view}"))) for view in VIEWS}


def test_a_ballot_says_what_was_said_after_the_last_undo(workspace: Workspace) -> None:
    file = workspace.votes / "st" / "1.jsonl"
    write(file, ballot("b", "left", 1), undo("b", 2), ballot("b", "tie", 3), ballot("b", "right", 4))
    assert ask(workspace, "SELECT answer FROM votes") == [("tie",)]
    write(workspace.votes / "st" / "2.jsonl", undo("b", 5, rater="another"))
    assert ask(workspace, "SELECT answer FROM votes") == [("tie",)]
    write(workspace.votes / "st" / "2.jsonl", undo("b", 6))
    assert ask(workspace, "SELECT answer FROM votes") == []
    assert ask(workspace, "SELECT ballot FROM ballots") == []
    incremental = dump(workspace)
    refresh(workspace, rebuild=True)
    assert dump(workspace) == incremental


def test_rankings_count_once_and_can_be_undone(workspace: Workspace) -> None:
    file = workspace.votes / "st" / "1.jsonl"
    write(file, ranking([["A"], ["B", "C"], ["D"]], 1), ranking([["D"], ["A"]], 2))
    places = "SELECT place, system FROM rankings ORDER BY ALL"
    assert ask(workspace, places) == [(1, "A"), (2, "B"), (2, "C"), (4, "D")]
    write(file, undo("k", 3))
    assert ask(workspace, places) == []
    write(file, ranking([["D"], ["A"]], 4))
    assert ask(workspace, places) == [(1, "D"), (2, "A")]


def test_votes_on_withdrawn_pictures_are_marked_in_their_study_only(workspace: Workspace) -> None:
    write(workspace.votes / "st" / "1.jsonl", ballot("b", "left", 1))
    write(workspace.votes / "other" / "1.jsonl", {**ballot("b", "left", 1), "study": "other"})
    gone = {"type": "withdrawn", "study": "st", "trial": "01", "reason": "x", "t": T.format(9)}
    write(workspace.studies / "st" / "withdrawn.jsonl", gone, {**gone, "reason": "again"})
    query = "SELECT study, withdrawn FROM votes ORDER BY study"
    assert ask(workspace, query) == [("other", False), ("st", True)]


def test_what_a_ballot_may_say_besides(workspace: Workspace) -> None:
    more = {"weight": 0.5, "extra": {"language": "de"}, "client": {"visible_ms": 7, "session": "s1"}}
    write(workspace.votes / "st" / "1.jsonl", ballot("b", "left", 1, **more), ballot("c", "skip", 1))
    found = ask(
        workspace, "SELECT weight, extra['language'], session, visible_ms, answer FROM votes ORDER BY ballot"
    )
    assert found == [(0.5, "de", "s1", 7, "left"), (1.0, None, None, None, "skip")]


def test_imported_facts_are_of_the_study_whose_folder_they_are_in(workspace: Workspace) -> None:
    folder = workspace.votes / "in"
    folder.mkdir(parents=True)
    duckdb.sql(
        "COPY (SELECT 'v' || i AS ballot, i <> 1 AS \"first\", 'appeal' AS criterion, 'left' AS answer, "
        "'A' AS left_system, 'B' AS right_system, false AS simulated, false AS withdrawn, "
        "1.0::DOUBLE AS weight FROM range(3) t(i)) "
        f"TO '{folder}/import-abc.parquet' (FORMAT parquet)"
    )
    write(workspace.votes / "st" / "1.jsonl", ballot("b", "left", 1))
    assert ask(workspace, "SELECT study, count(*) FROM votes GROUP BY 1 ORDER BY 1") == [("in", 3), ("st", 1)]
    assert ask(workspace, "SELECT study, count(*) FROM ballots GROUP BY 1 ORDER BY 1") == [
        ("in", 2),
        ("st", 1),
    ]
    incremental = dump(workspace)
    refresh(workspace, rebuild=True)
    assert dump(workspace) == incremental
