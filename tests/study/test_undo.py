"""A vote can be taken back: durable, once, by its rater only; the pair comes back and the views agree."""

from __future__ import annotations

import json
import random
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from evalkit.store import Journal, Workspace
from evalkit.study.ballots import after, new_votes_file, read_casts
from evalkit.study.outcomes import Conflict, Expired, NoSuchBallot, Saved, Undone
from evalkit.study.service import Ballot, ServiceOptions, StudyService
from evalkit.warehouse import connect


@dataclass
class Clock:
    now: float = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now


def said(ballot: Ballot, answer: str = "left") -> dict[str, str]:
    return dict.fromkeys(ballot.criteria, answer)


def lines(workspace: Workspace, study: str = "s1") -> list[dict[str, Any]]:
    files = sorted((workspace.votes / study).glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def ask(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(workspace)) as db:
        return db.execute(query).fetchall()


def test_the_pair_comes_back_as_it_was_and_can_be_voted_on_again(workspace: Workspace, study: str) -> None:
    clock = Clock()
    with StudyService(workspace, study, ServiceOptions(clock=clock)) as service:
        ballot, *_ = service.next("r", 3)
        first = service.vote("r", ballot.ticket, said(ballot))
        clock.now += 5
        outcome = service.undo("r", ballot.ticket)
        assert isinstance(outcome, Undone)
        assert service.progress("r").done == 0
        assert read_casts(workspace, study) == {}
        assert ask(workspace, "SELECT count(*) FROM votes") == [(0,)]
        again = service.next("r", 3)[0]
        assert again.id == ballot.id
        assert service.reveal(again) == service.reveal(ballot)
        clock.now += 5
        second = service.vote("r", again.ticket, said(again, "tie"))
        assert isinstance(first, Saved)
        assert isinstance(second, Saved)
        assert second.receipt != first.receipt
        assert service.progress("r").done == 1
        assert [line["type"] for line in lines(workspace)] == ["ballot", "undo", "ballot"]
        assert lines(workspace)[0]["propensity"] == lines(workspace)[2]["propensity"]
    assert {c.answers["alignment"] for c in read_casts(workspace, study).values()} == {"tie"}
    assert ask(workspace, "SELECT DISTINCT ballot, answer FROM votes") == [(ballot.id, "tie")]
    assert ask(workspace, "SELECT count(*) FROM ballots") == [(1,)]


def test_undoing_twice_is_undoing_once(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        assert service.undo("r", ballot.ticket) == NoSuchBallot()
        service.vote("r", ballot.ticket, said(ballot))
        once = service.undo("r", ballot.id)
        assert service.undo("r", ballot.id) == once == service.undo("r", ballot.ticket)
        assert [line["type"] for line in lines(workspace)] == ["ballot", "undo"]
    with StudyService(workspace, study) as service:
        assert service.undo("r", ballot.id) == once
        assert service.progress("r").done == 0
        assert [line["type"] for line in lines(workspace)] == ["ballot", "undo"]


def test_nobody_takes_back_what_another_said(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, said(ballot))
        for name in (ballot.id, ballot.ticket, "no such ballot", ""):
            assert service.undo("somebody else", name) == NoSuchBallot()
    record = {
        "type": "undo",
        "study": study,
        "ballot": ballot.id,
        "rater": "other",
        "t": "2099-01-01T00:00:00Z",
    }
    with Journal(new_votes_file(workspace, study)) as journal:
        journal.append(record)
    assert list(read_casts(workspace, study)) == [ballot.id]
    assert ask(workspace, "SELECT count(*) FROM ballots") == [(1,)]


def test_a_late_copy_of_the_vote_does_not_bring_it_back(workspace: Workspace, study: str) -> None:
    """A browser may send a vote again whose answer got lost; after an undo it means nothing any more."""
    clock = Clock()
    with StudyService(workspace, study, ServiceOptions(clock=clock)) as service:
        (ballot,) = service.next("r")
        clock.now += 3
        service.vote("r", ballot.ticket, said(ballot))
        clock.now += 3
        service.undo("r", ballot.id)
        assert service.vote("r", ballot.ticket, said(ballot)) == Expired()
        assert ask(workspace, "SELECT count(*) FROM votes") == [(0,)]


def test_a_clock_that_stands_still_or_goes_back_changes_no_order(workspace: Workspace, study: str) -> None:
    clock = Clock()
    with StudyService(workspace, study, ServiceOptions(clock=clock)) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, said(ballot))
        clock.now -= 0.0005
        service.undo("r", ballot.id)
        service.vote("r", service.next("r")[0].ticket, said(ballot, "right"))
        clock.now -= 60
        service.undo("r", ballot.id)
    times = [line["t"] for line in lines(workspace)]
    assert times == sorted(set(times))
    assert read_casts(workspace, study) == {}
    assert ask(workspace, "SELECT count(*) FROM votes") == [(0,)]


def test_two_processes_know_of_each_others_undos(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as one:
        (ballot,) = one.next("r")
        one.vote("r", ballot.ticket, said(ballot))
        with StudyService(workspace, study) as two:
            assert two.progress("r").done == 1
            assert isinstance(two.undo("r", ballot.id), Undone)
            assert isinstance(one.undo("r", ballot.id), Undone)
            assert one.progress("r").done == 0
            again = next(b for b in two.next("r", 5) if b.id == ballot.id)
            assert isinstance(two.vote("r", again.ticket, said(again, "tie")), Saved)
            assert one.vote("r", again.ticket, said(again, "right")) == Conflict()
            assert one.progress("r").done == 1
    assert [line["type"] for line in lines(workspace)].count("undo") == 1


def test_an_undo_is_on_the_disk_before_it_is_acknowledged(
    workspace: Workspace, study: str, monkeypatch: Any
) -> None:
    synced = []
    sync = Journal.sync
    monkeypatch.setattr(Journal, "sync", lambda self: (synced.append(self.path.read_bytes()), sync(self))[1])
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, said(ballot))
        service.undo("r", ballot.id)
        assert synced[-1].count(b'"type":"undo"') == 1


def test_a_skip_is_kept_and_never_rated(workspace: Workspace, study: str) -> None:
    from evalkit.leaderboard import votes_of

    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        told = {"session": "morning-1", "visible_ms": 900}
        assert isinstance(service.vote("r", ballot.ticket, said(ballot, "skip"), told), Saved)
    assert ask(workspace, "SELECT DISTINCT answer, session, weight, withdrawn FROM votes") == [
        ("skip", "morning-1", 1.0, False)
    ]
    with closing(connect(workspace)) as db:
        assert votes_of(db, study, "alignment").n == 0


def test_after() -> None:
    late = "2026-01-01T00:00:09.000000+00:00"
    assert after(late, "2026-01-01T00:00:01.000000+00:00") == late
    assert after("2026-01-01T00:00:01.000000+00:00", late) == "2026-01-01T00:00:09.000001+00:00"


def test_files_and_views_tell_the_same_of_any_history(workspace: Workspace) -> None:
    """Against the rule told step by step: a vote counts from its time until an undo at that time or later."""
    rng = random.Random(11)
    steps = [
        (
            rng.choice(("ballot", "ballot", "undo")),
            rng.randrange(400),
            rng.randrange(4) == 0,
            rng.randrange(6),
        )
        for _ in range(2400)
    ]
    files: list[list[str]] = [[], [], []]
    for number, step in enumerate(steps):
        rng.choice(files).append(json.dumps(record(*step, f"answer-{number}")))
    (workspace.votes / "s").mkdir(parents=True)
    for number, text in enumerate(files):
        (workspace.votes / "s" / f"{number}.jsonl").write_text("".join(line + "\n" for line in text))
    expected = naive(steps)
    assert 50 < len(expected) < 350
    assert {ballot: cast.t for ballot, cast in read_casts(workspace, "s").items()} == expected
    shown = "ballot, strftime(t, '%Y-%m-%dT%H:%M:%S.%f') || '+00:00'"
    assert dict(ask(workspace, f"SELECT {shown} FROM votes")) == expected
    assert dict(ask(workspace, f"SELECT {shown} FROM ballots")) == expected


def record(kind: str, ballot: int, other: bool, second: int, answer: str) -> dict[str, Any]:
    told = {"type": kind, "study": "s", "ballot": f"b{ballot}", "t": time(second)}
    if kind == "undo":
        return {**told, "rater": "stranger" if other else f"r{ballot}"}
    sides = {"left": {"system": "a", "trial": "1"}, "right": {"system": "b", "trial": "2"}}
    return {**told, **sides, "rater": f"r{ballot}", "comparison": "c", "answers": {"appeal": answer}}


def time(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}.000000+00:00"


def naive(steps: list[tuple[str, int, bool, int]]) -> dict[str, str]:
    counted: dict[str, str] = {}
    for second in range(6):
        now = [step for step in steps if step[3] == second]
        for kind, ballot, *_ in now:
            if kind == "ballot":
                counted.setdefault(f"b{ballot}", time(second))
        for kind, ballot, other, *_ in now:
            if kind == "undo" and not other:
                counted.pop(f"b{ballot}", None)
    return counted
