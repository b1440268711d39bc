"""A study as a file: every answer with its columns, a card that says what it is, and the way back."""

from __future__ import annotations

import csv
import hashlib
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evalkit.errors import UnknownName, UsageError
from evalkit.store import Journal, Workspace
from evalkit.study.ballots import new_votes_file
from evalkit.study.define import load_study
from evalkit.study.service import StudyService
from evalkit.study.simulate import Panel, simulate_votes
from evalkit.study.votefiles import ExportOptions, export_votes, import_votes
from evalkit.study.votefiles.columns import COLUMNS
from evalkit.study.withdrawals import withdraw
from evalkit.warehouse import connect

SAME = (
    'ballot, criterion, answer, left_system, right_system, suite, category, "case", cluster, session, '
    "left_trial, right_trial, t, propensity, pair_propensity, visible_ms, simulated, withdrawn, weight, extra"
)


@pytest.fixture
def voted(workspace: Workspace, study: str) -> str:
    """A study with votes, a skip, an undo, a withdrawn picture and a ranking."""
    with StudyService(workspace, study) as service:
        for rater, answer in (("anna", "left"), ("ben", "tie"), ("cleo", "skip")):
            for ballot in service.next(rater, 4):
                told = {"visible_ms": 1200, "session": f"{rater}-1"}
                service.vote(rater, ballot.ticket, dict.fromkeys(ballot.criteria, answer), told)
        for _ in range(2):
            (ballot,) = service.next("ben")
            service.vote("ben", ballot.ticket, dict.fromkeys(ballot.criteria, "both_bad"))
            service.undo("ben", ballot.id)
    withdraw(workspace, study, [load_study(workspace, study).comparisons[0].trial_a], "blurred by a bug")
    ranking = {
        "type": "ranking",
        "study": study,
        "ballot": "k1",
        "suite": "product",
        "case": "c01",
        "rater": "anna",
    }
    with Journal(new_votes_file(workspace, study)) as journal:
        journal.append(
            {**ranking, "t": "2026-01-02T00:00:00Z", "criterion": "appeal", "order": [["x"], ["y", "z"]]}
        )
        journal.append(
            {**ranking, "t": "2026-01-03T00:00:00Z", "criterion": "appeal", "order": [["z"], ["y"]]}
        )
    return study


def ask(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(workspace)) as db:
        return db.execute(query).fetchall()


@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_export_and_import_come_back_to_the_same_votes(
    workspace: Workspace, voted: str, tmp_path: Path, end: str
) -> None:
    done = export_votes(workspace, voted, tmp_path / "out" / f"votes.{end}")
    assert done.answers == ask(workspace, "SELECT count(*) FROM votes")[0][0]
    back = import_votes(workspace, done.files[0], "back")
    assert (back.added, back.own_ids, back.kept, back.dropped) == (done.answers, True, (), ())
    query = f"SELECT {SAME}, rater FROM votes WHERE study = '{{}}' ORDER BY ballot, criterion"
    assert ask(workspace, query.format("back")) == ask(workspace, query.format(voted))
    count = "SELECT count(*) FROM ballots WHERE study = '{}'"
    assert ask(workspace, count.format("back")) == ask(workspace, count.format(voted))
    assert done.rankings == 1
    import_votes(workspace, done.files[1], "ranked")
    shown = 'ballot, criterion, suite, "case", rater, place, system, t'
    query = f"SELECT {shown} FROM rankings WHERE study = '{{}}' ORDER BY ALL"
    found = ask(workspace, query.format("ranked"))
    assert found == ask(workspace, query.format(voted))
    assert [row[5:7] for row in found] == [(1, "x"), (2, "y"), (2, "z")]


def test_the_file_has_the_columns_the_card_explains(workspace: Workspace, voted: str, tmp_path: Path) -> None:
    done = export_votes(workspace, voted, tmp_path / "v.csv")
    with done.files[0].open() as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {column.name for column in COLUMNS}
    card = done.card.read_text()
    assert [column.name for column in COLUMNS if f"\n* `{column.name}`: " not in card] == []
    assert {row["withdrawn"] for row in rows} == {"true", "false"}
    exported = json.loads(
        (export_votes(workspace, voted, tmp_path / "v.jsonl").files[0]).read_text().splitlines()[0]
    )
    assert exported["t"].endswith("Z")


def test_the_card_tells_what_the_study_was(workspace: Workspace, voted: str, tmp_path: Path) -> None:
    done = export_votes(workspace, voted, tmp_path / "v.parquet")
    card = done.card.read_text()
    assert done.card.name == "v.parquet.card.md"
    for path in done.files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    for text in (
        "# s1: Fruit",
        "which image looks better?",
        "| product | 1 | CC0-1.0 |",
        "| `alignment` | product |",
        "Raters: 3, who cast from 4 to 4 ballots each",
        "2 times a ballot was taken back; 1 ballots stay so",
        "blurred by a bug",
        "Sampling `balanced`",
        "probability of each choice is known for",
        "(median)",
        "Rankings: 1",
    ):
        assert text in card, text
    skipped = ask(workspace, "SELECT count(*) FROM votes WHERE answer = 'skip'")[0][0]
    assert f"Skipped: {skipped} answers" in card
    withdrawn = ask(workspace, "SELECT count(*) FROM votes WHERE withdrawn")[0][0]
    assert f"Withdrawn: {withdrawn} answers" in card
    assert "Simulated" not in card
    assert "anna" not in card


def test_pseudonyms_are_stable_and_tell_nothing(workspace: Workspace, voted: str, tmp_path: Path) -> None:
    files = [
        export_votes(workspace, voted, tmp_path / name, ExportOptions(anonymise=True)).files[0]
        for name in ("one.csv", "two.csv")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    text = files[0].read_text() + (tmp_path / "one.rankings.csv").read_text()
    assert not any(name in text for name in ("anna", "ben", "cleo"))
    plain = export_votes(workspace, voted, tmp_path / "plain.csv").files[0]
    with plain.open() as a, files[0].open() as b:
        pairs = {(x["rater"], y["rater"]) for x, y in zip(csv.DictReader(a), csv.DictReader(b), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 3


def test_one_criterion(workspace: Workspace, voted: str, tmp_path: Path) -> None:
    done = export_votes(workspace, voted, tmp_path / "v.parquet", ExportOptions(criterion="alignment"))
    assert duckdb.sql(f"SELECT DISTINCT criterion FROM '{done.files[0]}'").fetchall() == [("alignment",)]
    assert done.rankings == 0
    with pytest.raises(UnknownName, match="'beauty'"):
        export_votes(workspace, voted, tmp_path / "v.csv", ExportOptions(criterion="beauty"))


def test_simulated_votes_and_unknown_raters_are_said(
    workspace: Workspace, study: str, tmp_path: Path
) -> None:
    worth = dict.fromkeys(load_study(workspace, study).systems, 0.0)
    simulate_votes(workspace, study, worth, Panel(raters=2, votes=4))
    assert "**Simulated.**" in export_votes(workspace, study, tmp_path / "v.csv").card.read_text()
    (tmp_path / "raw.csv").write_text("left,right,winner\na|b,c,left\n")
    import_votes(workspace, tmp_path / "raw.csv", "raw")
    card = export_votes(workspace, "raw", tmp_path / "raw-out.csv").card.read_text()
    assert "Imported from `raw.csv`" in card
    assert "cannot know how raters differ" in card
    assert "each as a prompt of its own" in card
    assert "| a\\|b | 1 | 1 |" in card


def test_what_cannot_be_exported(workspace: Workspace, study: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="study 'nosuch'"):
        export_votes(workspace, "nosuch", tmp_path / "v.csv")
    with pytest.raises(UsageError, match=r"v\.txt"):
        export_votes(workspace, study, tmp_path / "v.txt")
    with pytest.raises(UsageError, match="no votes"):
        export_votes(workspace, study, tmp_path / "v.csv")
    assert list(tmp_path.glob("*v.csv*")) == []
