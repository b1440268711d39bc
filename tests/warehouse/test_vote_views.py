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
VIEWS = ("votes", "ballots", "vote_counts", "pair_votes", "rankings", "undos")


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


def shown(name: str, left: str, right: str, answer: str, **more: Any) -> dict[str, Any]:
    sides = {"left": {"system": left, "trial": f"{left}0"}, "right": {"system": right, "trial": f"{right}0"}}
    return ballot(name, answer, 1, **sides, **more)


def counted(workspace: Workspace) -> None:
    """Six answers on A and B, two on A and C; then a skip, a self-pair, and one on a withdrawn picture."""
    write(
        workspace.votes / "st" / "1.jsonl",
        shown("1", "A", "B", "left"),
        shown("2", "A", "B", "right"),
        shown("3", "B", "A", "left"),
        shown("4", "B", "A", "right"),
        shown("5", "B", "A", "right"),
        shown("6", "A", "B", "tie"),
        shown("7", "C", "A", "both_bad"),
        shown("8", "C", "A", "left"),
        shown("9", "A", "B", "skip"),
        shown("10", "A", "A", "left"),
        {**shown("11", "A", "B", "left"), "right": {"system": "B", "trial": "bad"}},
        shown("12", "D", "A", "skip"),
    )
    gone = {"type": "withdrawn", "study": "st", "trial": "bad", "reason": "x", "t": T.format(9)}
    write(workspace.studies / "st" / "withdrawn.jsonl", gone)


def test_answers_are_counted_as_they_were_shown(workspace: Workspace) -> None:
    counted(workspace)
    found = ask(workspace, "SELECT left_system, right_system, answer, votes FROM vote_counts ORDER BY ALL")
    assert found == [
        ("A", "B", "left", 1),
        ("A", "B", "right", 1),
        ("A", "B", "skip", 1),
        ("A", "B", "tie", 1),
        ("B", "A", "left", 1),
        ("B", "A", "right", 2),
        ("C", "A", "both_bad", 1),
        ("C", "A", "left", 1),
        ("D", "A", "skip", 1),
    ]
    assert ask(workspace, "SELECT DISTINCT study, criterion, category FROM vote_counts") == [
        ("st", "appeal", None)
    ]


def test_votes_on_a_pair_are_added_up_whichever_side_each_was_on(workspace: Workspace) -> None:
    counted(workspace)
    found = ask(workspace, "SELECT * EXCLUDE (study, criterion, category) FROM pair_votes ORDER BY ALL")
    assert found == [("A", "B", 6, 3, 2, 1, 0, 3.5 / 6), ("A", "C", 2, 0, 1, 0, 1, 0.25)]
    names = [row[0] for row in ask(workspace, "DESCRIBE pair_votes")]
    assert names == [
        "study", "criterion", "category", "system_a", "system_b", "votes", "wins_a", "wins_b", "ties",
        "both_bad", "share_a",
    ]  # fmt: skip


def test_how_likely_a_pair_was_is_told_where_it_is_known(workspace: Workspace) -> None:
    known = shown("1", "A", "B", "left", propensity=0.1, pair_propensity=0.4)
    write(workspace.votes / "st" / "1.jsonl", known, shown("2", "A", "B", "left", propensity=0.2))
    for view in ("votes", "ballots"):
        query = f"SELECT propensity, pair_propensity FROM {view} ORDER BY ballot"
        assert ask(workspace, query) == [(0.1, 0.4), (0.2, None)]


def test_a_database_from_before_is_made_anew(workspace: Workspace) -> None:
    write(workspace.votes / "st" / "1.jsonl", shown("1", "A", "B", "left", pair_propensity=0.4))
    refresh(workspace)
    with duckdb.connect(str(workspace.database)) as db:
        db.execute("UPDATE meta SET schema_version = 8")
        db.execute("DROP VIEW pair_votes")
    assert ask(workspace, "SELECT votes FROM pair_votes") == [(1,)]
