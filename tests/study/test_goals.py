"""A study's goal decides which pairs raters get, from the first vote to the exported file."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from make_run import cases, make_run

from evalkit.cli.main import main
from evalkit.store import Journal, Workspace
from evalkit.study.ballots import new_votes_file, read_casts
from evalkit.study.define import StudyOptions, create_study, load_study
from evalkit.study.outcomes import Saved, Undone
from evalkit.study.sampling import Board, Cell, Item, Sampling
from evalkit.study.service import ServiceOptions, StudyService
from evalkit.study.simulate import Panel, simulate_votes
from evalkit.study.votefiles import export_votes, import_votes
from evalkit.study.withdrawals import withdraw
from evalkit.warehouse import connect

WORTH = {"a": 1.6, "b": 1.5, "c": 0.0, "d": -0.8, "e": -1.6}
THREE = ("a", "b", "c")
QUICK = ServiceOptions(durable=False)
Pair = frozenset[str]


def lines(workspace: Workspace, study: str) -> list[dict[str, Any]]:
    files = sorted((workspace.votes / study).glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def pair_of(line: dict[str, Any]) -> Pair:
    return frozenset((line["left"]["system"], line["right"]["system"]))


def chances(service: StudyService) -> dict[tuple[str, str], float]:
    """How likely each pair is to come next to a rater who has seen nothing."""
    aim = service._board._aim
    assert aim is not None
    return aim.among({cell.pair for cell in service._board._cells})


def poll(service: StudyService, votes: int, raters: int = 3) -> list[tuple[str, str]]:
    """Raters vote in turn, always for a before b before c; who cast which ballot."""
    cast = []
    for step in range(votes):
        rater = f"r{step % raters}"
        (ballot,) = service.next(rater)
        comparison, left = service.reveal(ballot)
        answer = "left" if left == min(comparison.system_a, comparison.system_b) else "right"
        outcome = service.vote(rater, ballot.ticket, dict.fromkeys(ballot.criteria, answer))
        assert isinstance(outcome, Saved)
        cast.append((rater, ballot.id))
    return cast


def type_in(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["evalkit", *words])
    with contextlib.suppress(SystemExit):
        main()


@pytest.fixture
def three(workspace: Workspace) -> Workspace:
    make_run(workspace, cases(14), THREE)
    create_study(workspace, "s", "r1", StudyOptions(goal="top-1"))
    return workspace


@pytest.mark.parametrize("goal", ["balanced", "all", "top-1", "new:c"])
def test_simulated_raters_spend_their_votes_on_the_goal(workspace: Workspace, goal: str) -> None:
    make_run(workspace, cases(40), tuple(WORTH))
    create_study(workspace, "s", "r1", StudyOptions(goal=goal))
    assert simulate_votes(workspace, "s", WORTH, Panel(raters=10, votes=300, seed=1)) == 300
    written = lines(workspace, "s")
    assert all(0 < line["propensity"] <= line["pair_propensity"] <= 1 for line in written)
    pairs = Counter(map(pair_of, written))
    assert len(pairs) == 10
    if goal == "balanced":
        assert set(pairs.values()) == {30}
    elif goal == "new:c":
        assert sum(n for pair, n in pairs.items() if "c" in pair) > 1.4 * 120
    else:
        assert pairs[frozenset("ab")] > 1.4 * 30
        assert pairs[frozenset("ae")] < 30
    with contextlib.closing(connect(workspace)) as db:
        found = db.execute("SELECT DISTINCT ballot, pair_propensity FROM votes").fetchall()
    assert dict(found) == {line["ballot"]: line["pair_propensity"] for line in written}


def test_a_contested_top_gets_more_votes_than_in_a_balanced_study(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(workspace, cases(40), tuple(WORTH))
    monkeypatch.setenv("EVALKIT_WORKSPACE", str(workspace.root))
    worth = [word for system, value in WORTH.items() for word in ("-u", f"{system}={value}")]
    contested = {}
    for study, goal in (("even", "balanced"), ("aimed", "top-2")):
        type_in(monkeypatch, "study", "new", study, "--run", "r1", "--goal", goal)
        type_in(monkeypatch, "votes", "simulate", study, "--votes", "250", "--raters", "10", *worth)
        contested[study] = sum(pair_of(line) == frozenset("ab") for line in lines(workspace, study))
    assert contested["aimed"] > 1.5 * contested["even"]


def test_a_study_opened_again_goes_on_as_if_it_had_not_been_closed(three: Workspace) -> None:
    with StudyService(three, "s", QUICK) as live:
        poll(live, 50)
        with StudyService(three, "s", QUICK) as again:
            assert chances(again) == chances(live)
            assert len(set(chances(live).values())) > 1
            for rater in ("r0", "r1", "r2", "new"):
                old, new = (service.next(rater, 3) for service in (live, again))
                sealed = [
                    [s.tickets.open_ballot(b.ticket) for b in bs] for s, bs in ((live, old), (again, new))
                ]
                assert [(t.comparison, t.left, t.propensity, t.pair_propensity) for t in sealed[0]] == [
                    (t.comparison, t.left, t.propensity, t.pair_propensity) for t in sealed[1]
                ]


def test_an_undone_vote_counts_no_more_and_its_probability_comes_back_with_it(three: Workspace) -> None:
    with StudyService(three, "s", QUICK) as service:
        poll(service, 20)
        early = chances(service)
        cast = poll(service, 20)
        late = chances(service)
        assert late != early
        rater, ballot = cast[-1]
        assert isinstance(service.undo(rater, ballot), Undone)
        assert chances(service) == early
        with StudyService(three, "s", QUICK) as again:
            assert chances(again) == early
        back = service.next(rater)[0]
        assert back.id == ballot
        told = dict.fromkeys(back.criteria, "tie")
        assert isinstance(service.vote(rater, back.ticket, told), Saved)
        assert chances(service) not in (early, late)
        with StudyService(three, "s", QUICK) as again:
            assert chances(again) == chances(service)
    first, undo, second = lines(three, "s")[-3:]
    assert undo["type"] == "undo"
    assert first["pair_propensity"] == second["pair_propensity"]


def test_an_early_undo_moves_every_later_batch(three: Workspace) -> None:
    """What counts is which votes stand, not what the batches were while they were cast."""
    with StudyService(three, "s", QUICK) as service:
        cast = poll(service, 47)
        for rater, ballot in cast[3:9]:
            service.undo(rater, ballot)
        with StudyService(three, "s", QUICK) as again:
            assert chances(again) == chances(service)


def test_processes_that_learn_of_each_other_agree(three: Workspace) -> None:
    with StudyService(three, "s", QUICK) as one, StudyService(three, "s", QUICK) as two:
        poll(one, 25, raters=1)
        ours = [("x", b) for b in two.next("x", 5)]
        for rater, ballot in ours:
            two.vote(rater, ballot.ticket, dict.fromkeys(ballot.criteria, "tie"))
        mine = poll(one, 11, raters=1)
        one.undo("x", ours[0][1].id)
        two.undo(*mine[-1])
        one.undo(*mine[-1])
        with StudyService(three, "s", QUICK) as third:
            assert chances(one) == chances(two) == chances(third)


def test_lines_from_before_there_were_goals_stay_readable(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study, QUICK) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, dict.fromkeys(ballot.criteria, "left"))
    (path,) = (workspace.votes / study).glob("*.jsonl")
    (line,) = lines(workspace, study)
    del line["pair_propensity"]
    path.unlink()
    with Journal(new_votes_file(workspace, study)) as journal:
        journal.append(line)
    (cast,) = read_casts(workspace, study).values()
    assert cast.pair_propensity is None
    with contextlib.closing(connect(workspace)) as db:
        query = "SELECT DISTINCT propensity, pair_propensity FROM votes"
        assert db.execute(query).fetchall() == [(line["propensity"], None)]
    with StudyService(workspace, study, QUICK) as service:
        service.undo("r", ballot.id)
        (back,) = service.next("r")
        service.vote("r", back.ticket, dict.fromkeys(back.criteria, "left"))
    assert lines(workspace, study)[-1]["pair_propensity"] is None


def test_a_study_goes_on_when_what_its_goal_names_is_withdrawn(workspace: Workspace) -> None:
    make_run(workspace, cases(3), THREE)
    for study, goal in (("place", "new:c"), ("best", "top-2")):
        create_study(workspace, study, "r1", StudyOptions(goal=goal))
        defined = load_study(workspace, study).comparisons
        gone = {c.trial_b for c in defined if c.system_b == "c"}
        withdraw(workspace, study, sorted(gone), "all of them are mirrored")
        with StudyService(workspace, study, QUICK) as service:
            assert len(poll(service, 9)) == 9
            assert service.next("r0") == []
    everything = [c.trial_a for c in load_study(workspace, "best").comparisons if c.system_a == "a"]
    withdraw(workspace, "best", sorted(set(everything)), "and these")
    with StudyService(workspace, "best", QUICK) as service:
        assert service.next("r9") == []


def test_the_card_says_that_pairs_were_favoured(three: Workspace, tmp_path: Path) -> None:
    with StudyService(three, "s", QUICK) as service:
        poll(service, 20)
    card = export_votes(three, "s", tmp_path / "v.csv").card.read_text()
    for text in (
        "Sampling `top-1`",
        "for the study's goal",
        "1 / `pair_propensity`, never by 1 / `propensity`",
    ):
        assert text in card, text


def test_an_import_from_before_there_were_goals_takes_more_votes(
    workspace: Workspace, study: str, tmp_path: Path
) -> None:
    """Its file has no such column; the same votes told again, with an empty one, are the same votes."""
    row = "v{},left,a,b,0.5{}\n".format
    head = "ballot,answer,left_system,right_system,propensity"
    (tmp_path / "old.csv").write_text(head + "\n" + row(1, ""))
    import_votes(workspace, tmp_path / "old.csv", "in")
    (file,) = (workspace.votes / "in").glob("import-*.parquet")
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE old AS SELECT * EXCLUDE (pair_propensity) FROM '{file}'")
        db.execute(f"COPY old TO '{file}' (FORMAT parquet)")
    (tmp_path / "new.csv").write_text(head + ",pair_propensity\n" + row(1, ",") + row(2, ",0.25"))
    done = import_votes(workspace, tmp_path / "new.csv", "in")
    assert (done.added, done.there) == (1, 1)
    with contextlib.closing(connect(workspace)) as db:
        found = db.execute("SELECT ballot, pair_propensity FROM votes ORDER BY 1").fetchall()
    assert found == [("v1", None), ("v2", 0.25)]


def test_an_answer_that_is_told_again_keeps_its_place() -> None:
    items = [
        Item(f"{n}/{a}{b}", ("x", str(n)), Cell("x", a, b)) for n in range(5) for a, b in ("ab", "ac", "bc")
    ]
    board, other = (Board(items, 0, Sampling("all", minimum=0, refit=2)) for _ in range(2))
    for one in (board, other):
        for n, item in enumerate(items[:5]):
            one.take("r", item.comparison, float(n % 2))
    board.take("r", items[0].comparison, 0.0)
    assert board.pick("new") == other.pick("new")
