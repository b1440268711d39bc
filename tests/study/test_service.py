from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from make_run import MARKER, cases, make_run

from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study
from evalkit.study.outcomes import Conflict, Expired, Invalid, NoSuchBallot, Saved, TooFast
from evalkit.study.service import MAX_OPEN, TICKET_SECONDS, Ballot, ServiceOptions, StudyService


@dataclass
class Clock:
    now: float = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now


def answers(ballot: Ballot, answer: str = "left") -> dict[str, str]:
    return dict.fromkeys(ballot.criteria, answer)


def lines(workspace: Workspace, study: str = "s1") -> list[dict[str, Any]]:
    files = sorted((workspace.votes / study).glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_a_vote_becomes_one_line_with_everything_an_analysis_needs(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study, ServiceOptions(clock=Clock())) as service:
        (ballot,) = service.next("r-1")
        comparison, left = service.reveal(ballot)
        client = {"visible_ms": 1500.4, "input": "keyboard", "junk": "x", "dpr": 2}
        outcome = service.vote("r-1", ballot.ticket, answers(ballot, "tie"), client)
        assert isinstance(outcome, Saved)
        (line,) = lines(workspace)
        chances = line.pop("propensity"), line.pop("pair_propensity")
    assert 0 < chances[0] <= chances[1] == 1.0, "there is one pair of systems"
    right = comparison.system_a if left == comparison.system_b else comparison.system_b
    trials = {comparison.system_a: comparison.trial_a, comparison.system_b: comparison.trial_b}
    assert line == {
        "v": 1,
        "type": "ballot",
        "study": study,
        "ballot": ballot.id,
        "comparison": comparison.id,
        "suite": comparison.suite,
        "case": comparison.case,
        "rater": "r-1",
        "left": {"system": left, "trial": trials[left]},
        "right": {"system": right, "trial": trials[right]},
        "t": "2025-10-09T08:53:20.000000+00:00",
        "answers": answers(ballot, "tie"),
        "client": {"visible_ms": 1500, "input": "keyboard", "dpr": 2},
        "simulated": False,
    }
    assert outcome.saved_at == line["t"]


def test_left_is_what_the_left_handle_shows(workspace: Workspace, study: str) -> None:
    """The one mistake that would turn every result round."""
    with StudyService(workspace, study) as service:
        for _ in range(12):
            (ballot,) = service.next("r")
            comparison, left = service.reveal(ballot)
            images = {comparison.system_a: comparison.image_a, comparison.system_b: comparison.image_b}
            shown = service.tickets.open_image(ballot.left)
            beside = service.tickets.open_image(ballot.right)
            assert shown is not None
            assert beside is not None
            assert (shown.image, shown.beside) == (images[left], beside.image)
            assert beside.image in images.values()
            service.vote("r", ballot.ticket, answers(ballot))


def test_edits_show_their_source_and_ask_about_it(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        seen: Counter[str] = Counter()
        while ballots := service.next("r"):
            (ballot,) = ballots
            seen[ballot.task] += 1
            assert (ballot.source is not None) == (ballot.task == "edit")
            assert ("preservation" in ballot.criteria) == (ballot.task == "edit")
            service.vote("r", ballot.ticket, answers(ballot))
    assert seen == {"t2i": 8, "edit": 4}


def test_asking_again_gives_the_same_ballots_with_new_handles(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        first, again = service.next("r", 3), service.next("r", 3)
        assert [b.id for b in first] == [b.id for b in again]
        assert not {b.left for b in first} & {b.left for b in again}
        service.vote("r", first[0].ticket, answers(first[0]))
        after = service.next("r", 3)
        assert [b.id for b in after][:2] == [b.id for b in first][1:]
        assert len(service.next("r", 99)) == MAX_OPEN
        assert not {b.id for b in service.next("other", 3)} & {b.id for b in after}


def test_the_same_vote_again_gives_the_same_receipt(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        first = service.vote("r", ballot.ticket, answers(ballot), {"visible_ms": 1})
        assert first == service.vote("r", ballot.ticket, answers(ballot), {"visible_ms": 2})
        assert service.vote("r", ballot.ticket, answers(ballot, "right")) == Conflict()
        assert service.progress("r").done == 1
    with StudyService(workspace, study) as restarted:
        assert restarted.vote("r", ballot.ticket, answers(ballot)) == first
        assert restarted.vote("r", ballot.ticket, answers(ballot, "tie")) == Conflict()
    assert len(lines(workspace)) == 1


def test_a_comparison_issued_twice_can_be_cast_once(workspace: Workspace) -> None:
    """A restart forgets what was open; the old and the new ticket are still one ballot."""
    make_run(workspace, cases(1))
    create_study(workspace, "s1", "r1")
    with StudyService(workspace, "s1") as before:
        (old,) = before.next("r")
    with StudyService(workspace, "s1") as after:
        (new,) = after.next("r")
        assert new.id == old.id
        assert isinstance(after.vote("r", old.ticket, answers(old)), Saved)
        assert after.vote("r", new.ticket, answers(new, "right")) == Conflict()
        assert after.next("r") == []


def test_a_ticket_is_bound_to_its_rater_and_study(workspace: Workspace, study: str) -> None:
    create_study(workspace, "s2", "r1")
    with StudyService(workspace, study) as service, StudyService(workspace, "s2") as other:
        (ballot,) = service.next("r")
        assert service.vote("thief", ballot.ticket, answers(ballot)) == NoSuchBallot()
        assert other.vote("r", ballot.ticket, answers(ballot)) == NoSuchBallot()
        assert service.vote("r", "nonsense", {}) == NoSuchBallot()
        assert service.image("nonsense") is None
        assert other.image(ballot.left) is None
        assert service.image(ballot.left) is not None
    assert lines(workspace) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alignment": "A"}, "not an answer to alignment"),
        ({"beauty": "left"}, "no such question: beauty"),
        ({"appeal": None}, "not answered: appeal"),
    ],
)
def test_answers_must_fit_the_questions(
    workspace: Workspace, change: dict[str, str | None], message: str
) -> None:
    make_run(workspace, cases(1))
    create_study(workspace, "s1", "r1")
    with StudyService(workspace, "s1") as service:
        (ballot,) = service.next("r")
        given = {k: v for k, v in (answers(ballot) | change).items() if v is not None}
        outcome = service.vote("r", ballot.ticket, given)
        assert isinstance(outcome, Invalid)
        assert message in outcome.message
        assert isinstance(service.vote("r", ballot.ticket, answers(ballot)), Saved)


def test_old_tickets_and_handles_expire_and_the_comparison_goes_to_others(workspace: Workspace) -> None:
    make_run(workspace, cases(1))
    create_study(workspace, "s1", "r1")
    clock = Clock()
    with StudyService(workspace, "s1", ServiceOptions(clock=clock)) as service:
        (gone,) = service.next("gone")
        assert service._board._load.total() == 1
        clock.now += TICKET_SECONDS + 1
        assert service.vote("gone", gone.ticket, answers(gone)) == Expired()
        assert service.image(gone.left) is None
        (ballot,) = service.next("r")
        assert service._board._load.total() == 1, "only the new ballot counts as open"
        assert isinstance(service.vote("r", ballot.ticket, answers(ballot)), Saved)
        (again,) = service.next("gone")
        assert isinstance(service.vote("gone", again.ticket, answers(again)), Saved)


def test_a_pair_must_have_been_seen(workspace: Workspace, study: str) -> None:
    clock = Clock()
    with StudyService(workspace, study, ServiceOptions(clock=clock, min_view_ms=1000)) as service:
        (ballot,) = service.next("r")
        assert service.vote("r", ballot.ticket, answers(ballot), {"visible_ms": 99_999}) == TooFast(1000)
        clock.now += 5
        assert service.vote("r", ballot.ticket, answers(ballot), {"visible_ms": 300}) == TooFast(700)
        assert isinstance(service.vote("r", ballot.ticket, answers(ballot), {"visible_ms": 1000}), Saved)


def test_two_processes_write_two_files_and_see_each_other_after_a_restart(
    workspace: Workspace, study: str
) -> None:
    with StudyService(workspace, study) as one, StudyService(workspace, study) as two:
        for service, rater in ((one, "r1"), (two, "r2"), (one, "r1")):
            (ballot,) = service.next(rater)
            assert isinstance(service.vote(rater, ballot.ticket, answers(ballot)), Saved)
    assert len(list((workspace.votes / study).glob("*.jsonl"))) == 2
    with StudyService(workspace, study) as service:
        assert (service.progress("r1").done, service.progress("r2").done) == (2, 1)


def test_a_torn_line_costs_the_unacknowledged_vote_only(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        ballots = service.next("r", 2)
        for ballot in ballots:
            service.vote("r", ballot.ticket, answers(ballot))
    (path,) = (workspace.votes / study).glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-10])
    with StudyService(workspace, study) as service:
        assert service.progress("r").done == 1
        assert isinstance(service.vote("r", ballots[1].ticket, answers(ballots[1])), Saved)
    with StudyService(workspace, study) as service:
        assert service.progress("r").done == 2


def test_a_vote_is_synced_before_it_is_acknowledged(
    workspace: Workspace, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.store import Journal

    events: list[str] = []
    sync = Journal.sync
    monkeypatch.setattr(Journal, "sync", lambda self: (events.append("sync"), sync(self))[1])
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, answers(ballot))
        events.append("acknowledged")
    assert events[:2] == ["sync", "acknowledged"]


def test_a_full_disk_is_not_a_vote(workspace: Workspace, study: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.errors import StorageError
    from evalkit.store import Journal

    append = Journal.append
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")

        def full(*_: object, **__: object) -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(Journal, "append", full)
        with pytest.raises(StorageError):
            service.vote("r", ballot.ticket, answers(ballot))
        assert service.progress("r").done == 0
        monkeypatch.setattr(Journal, "append", append)
        assert isinstance(service.vote("r", ballot.ticket, answers(ballot)), Saved)
    assert len(lines(workspace)) == 1


def test_raters_in_many_threads_never_share_or_lose_a_ballot(workspace: Workspace) -> None:
    make_run(workspace, cases(20))
    create_study(workspace, "s1", "r1")
    with StudyService(workspace, "s1", ServiceOptions(durable=False)) as service:

        def rate(rater: str) -> None:
            while ballots := service.next(rater, 2):
                service.vote(rater, ballots[0].ticket, answers(ballots[0]))

        threads = [threading.Thread(target=rate, args=(f"r{n % 4}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = lines(workspace)
    assert len(written) == len({line["ballot"] for line in written}) == 80
    assert Counter(line["rater"] for line in written) == {f"r{n}": 20 for n in range(4)}


def test_simulated_studies_and_services_mark_every_vote(workspace: Workspace) -> None:
    make_run(workspace, cases(2))
    create_study(workspace, "played", "r1", StudyOptions(simulated=True))
    create_study(workspace, "real", "r1")
    for study, options in (("played", ServiceOptions()), ("real", ServiceOptions(simulated=True))):
        with StudyService(workspace, study, options) as service:
            (ballot,) = service.next("r")
            service.vote("r", ballot.ticket, answers(ballot))
        assert [line["simulated"] for line in lines(workspace, study)] == [True]


def test_a_study_copied_without_its_key_goes_on(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, answers(ballot))
    (workspace.studies / study / "secret.key").unlink()
    with StudyService(workspace, study) as service:
        assert service.progress("r").done == 1
        assert service.vote("r", ballot.ticket, answers(ballot)) == NoSuchBallot()
        assert ballot.id not in {b.id for b in service.next("r", 5)}


def test_nothing_of_the_secret_is_written_anywhere_else(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        (ballot,) = service.next("r")
        service.vote("r", ballot.ticket, answers(ballot))
    secret = (workspace.studies / study / "secret.key").read_bytes()
    others: list[Path] = [p for p in workspace.root.rglob("*") if p.is_file() and p.name != "secret.key"]
    assert all(secret not in p.read_bytes() and secret.hex() not in p.read_text("latin-1") for p in others)


def test_a_ballot_names_nothing(workspace: Workspace, study: str) -> None:
    with StudyService(workspace, study) as service:
        for ballot in service.next("r", 5):
            comparison, _ = service.reveal(ballot)
            told = repr(replace(ballot, prompt=""))
            for secret in (MARKER, comparison.id, comparison.trial_a, comparison.image_a):
                assert secret not in told
            # A case's id is so short that sealed text may contain it by chance.
            open_text = replace(ballot, prompt="", id="", ticket="", left="", right="", source=None)
            assert comparison.case not in repr(open_text)
