"""Withdrawn pictures: shown no more, votes on them marked and left out, unknown names refused."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from evalkit.errors import UnknownName, UsageError
from evalkit.leaderboard import vote_board, votes_of
from evalkit.store import Workspace
from evalkit.study.define import load_study
from evalkit.study.outcomes import Expired, Saved, Undone
from evalkit.study.service import StudyService
from evalkit.study.votefiles import import_votes
from evalkit.study.withdrawals import read_withdrawals, withdraw
from evalkit.warehouse import connect


def vote_on_all(workspace: Workspace, study: str, rater: str = "r") -> None:
    with StudyService(workspace, study) as service:
        while ballots := service.next(rater):
            (ballot,) = ballots
            service.vote(rater, ballot.ticket, dict.fromkeys(ballot.criteria, "left"))


def test_votes_on_a_withdrawn_picture_stay_and_are_not_rated(workspace: Workspace, study: str) -> None:
    vote_on_all(workspace, study)
    gone = load_study(workspace, study).comparisons[0]
    with closing(connect(workspace)) as db:
        before = votes_of(db, study, "appeal").n
    (one,) = withdraw(workspace, study, [gone.trial_b[:10], gone.trial_b], "watermark of a stock agency")
    assert one.trial == gone.trial_b
    with closing(connect(workspace)) as db:
        marked = db.execute('SELECT DISTINCT "case", withdrawn FROM votes WHERE withdrawn').fetchall()
        assert marked == [(gone.case, True)]
        assert db.execute("SELECT count(DISTINCT ballot) FROM votes").fetchone() == (before,)
        assert votes_of(db, study, "appeal").n == before - 1
        assert vote_board(db, study, "appeal").n_votes == before - 1
        assert db.execute("SELECT trial, reason FROM withdrawn_rows").fetchall() == [(one.trial, one.reason)]


def test_raters_do_not_get_it_and_old_tickets_are_void(workspace: Workspace, study: str) -> None:
    whole = len(load_study(workspace, study).comparisons)
    with StudyService(workspace, study) as service:
        first, second = service.next("r", 2)
        service.vote("r", first.ticket, dict.fromkeys(first.criteria, "left"))
        pairs = [service.reveal(ballot)[0] for ballot in (first, second)]
    withdraw(workspace, study, [pair.trial_a for pair in pairs], "wrong file")
    with StudyService(workspace, study) as service:
        assert (service.progress("r").done, service.progress("r").total) == (0, whole - 2)
        assert service.vote("r", second.ticket, dict.fromkeys(second.criteria, "tie")) == Expired()
        same = service.vote("r", first.ticket, dict.fromkeys(first.criteria, "left"))
        assert isinstance(same, Saved)
        assert isinstance(service.undo("r", first.id), Undone)
        seen = set()
        while ballots := service.next("r"):
            (ballot,) = ballots
            seen.add(service.reveal(ballot)[0].id)
            service.vote("r", ballot.ticket, dict.fromkeys(ballot.criteria, "tie"))
    assert len(seen) == whole - 2
    assert not seen & {pair.id for pair in pairs}


def test_withdrawing_again_writes_nothing(workspace: Workspace, study: str) -> None:
    trial = load_study(workspace, study).comparisons[0].trial_a
    assert len(withdraw(workspace, study, [trial], "first")) == 1
    assert withdraw(workspace, study, [trial], "second") == []
    assert [one.reason for one in read_withdrawals(workspace, study).values()] == ["first"]
    (line,) = (workspace.studies / study / "withdrawn.jsonl").read_text().splitlines()
    assert json.loads(line)["type"] == "withdrawn"


def test_what_cannot_be_withdrawn(workspace: Workspace, study: str) -> None:
    trial = load_study(workspace, study).comparisons[0].trial_a
    with pytest.raises(UnknownName, match="study 'nosuch'"):
        withdraw(workspace, "nosuch", [trial], "why")
    with pytest.raises(UnknownName, match="'nosuch'"):
        withdraw(workspace, study, [trial, "nosuch"], "why")
    with pytest.raises(UnknownName):
        withdraw(workspace, study, [trial[:5]], "why")
    with pytest.raises(UsageError, match="reason"):
        withdraw(workspace, study, [trial], " ")
    assert read_withdrawals(workspace, study) == {}


def test_pictures_of_imported_votes_can_be_withdrawn(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text(
        "left,right,winner,left_trial,right_trial\na,b,left,t-one,t-two\na,b,tie,t-one,t-three\na,b,tie,,\n"
    )
    import_votes(workspace, path, "s")
    with pytest.raises(UnknownName):
        withdraw(workspace, "s", ["t-four"], "why")
    withdraw(workspace, "s", ["t-two"], "why")
    with closing(connect(workspace)) as db:
        assert db.execute("SELECT right_trial FROM votes WHERE withdrawn").fetchall() == [("t-two",)]
        assert votes_of(db, "s", "overall").n == 2
