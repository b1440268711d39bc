"""Jobs whose acceptance was lost: found in the provider's list, or left alone until told otherwise."""

from __future__ import annotations

import pytest
from contractbench import Bench, Subject, every_row, subject, subjects

LISTED = pytest.mark.parametrize("one", [s for s in every_row() if s.spec.reconcile], ids=str)
UNLISTED = [s for s in subjects() if not s.spec.reconcile and not s.free]
LOST = "A red fox [[submit:drop_after*1]]"


@LISTED
def test_a_lost_job_is_found_in_the_list(bench: Bench, one: Subject) -> None:
    """The second run finds it; three replicates would be three alike, so there is one here."""
    first = bench.run(one, LOST, bills=1)
    assert first.status == "unknown"
    again = first.again
    assert again is not None
    assert again.made == {"ok": 1}
    assert again.asked == 0
    assert not again.unknown
    assert again.exit_code == 0
    third = bench.run(one, LOST, bills=0)
    assert not third.requests
    assert third.status == "ok"


@LISTED
def test_a_job_lost_to_a_crash_is_found_too(bench: Bench, one: Subject) -> None:
    bench.run(one, "A red fox", bills=1)
    bench.crash_after("intent")
    ran = bench.run(one, "A red fox", bills=0)
    assert ran.status == "ok"
    assert not ran.submits


@LISTED
def test_two_that_look_alike_are_not_guessed(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[submit:drop_after]]", bills=2, replicates=2)
    assert ran.statuses == ["unknown", "unknown"]
    assert ran.again is not None
    assert ran.again.reused == {"unknown": 2}
    assert len(ran.again.unknown) == 2


@LISTED
def test_a_job_of_another_trial_is_never_taken(bench: Bench, one: Subject) -> None:
    """The first replicate arrives; of the second nothing ever did, and the list holds only the first."""
    ran = bench.run(one, "A red fox [[submit:429*1; submit:drop*1]]", bills=1, replicates=2, concurrency=1)
    assert sorted(ran.statuses) == ["ok", "unknown"]
    assert ran.again is not None
    assert ran.again.reused == {"ok": 1, "unknown": 1}


@pytest.mark.parametrize("one", UNLISTED, ids=str)
def test_what_is_unknown_stays_so(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, LOST, bills=1)
    assert ran.again is not None
    assert ran.again.reused == {"unknown": 1}
    assert ran.again.asked == 0
    assert [trial.case for trial in ran.again.unknown] == ["c0"]
    ran = bench.run(one, LOST, bills=0, retry_failed=True)
    assert ran.status == "unknown", "it is not a failure to be tried again"


@pytest.mark.parametrize("one", UNLISTED, ids=str)
def test_only_saying_so_pays_twice(bench: Bench, one: Subject) -> None:
    lost = bench.run(one, LOST, bills=1)
    ran = bench.run(one, LOST, bills=1, resubmit_unknown=True, twice=True)
    assert ran.status == "ok"
    assert ran.end.attempt == 2
    assert len(bench.fakes.ledger()) == 2
    assert ran.report.asked == 1
    assert ran.report.spent_usd == lost.end.price.usd + ran.end.price.usd, "both bills are in the report"
    assert not ran.report.unknown


def test_a_listed_job_is_not_found_while_the_list_is_down(bench: Bench) -> None:
    one = subject("fal")
    bench.monkeypatch.setattr("evalkit.fakes.routes.fal_rest.between", _broken)
    ran = bench.run(one, LOST, bills=1)
    assert ran.status == "unknown"
    assert ran.again is not None
    assert ran.again.made == {}


def _broken(*_: object) -> None:
    raise RuntimeError("the list is down")
