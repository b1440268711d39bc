"""Where a trial stands does not depend on the order in which journals are read."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.runs import History, Step, Trials, read_generations, read_history
from evalkit.store import Journal, Workspace

ID = "ab" * 32
TRIALS = Trials([(ID, 0, 0, 0)])


def rec(step: str, attempt: int = 1, **more: object) -> dict[str, object]:
    return {"type": step, "trial": ID, "attempt": attempt, "t": f"2026-01-0{attempt}", **more}


INTENT = rec("intent", usd="0.05")
ACCEPTED = rec("accepted", note="job-1", facts={"status_url": "u"})
REJECTED = rec("rejected", kind="rate_limit", note="slow down")
UNKNOWN = rec("done", status="unknown", usd="0.05", reason="cut off")
DONE = rec("done", status="ok", usd="0.03")
SECOND = [rec("intent", 2, usd="0.07"), rec("done", 2, status="failed", usd="0.01")]


def after(*records: dict[str, object]) -> History:
    history = History(TRIALS)
    for record in records:
        history.add(0, record)
    return history


def stands(history: History) -> tuple[object, ...]:
    return history.step(0), history.attempts[0], history.cost(0), history.spent, history.jobs.get(0)


def test_each_step() -> None:
    assert after().step(0) is Step.NONE
    assert stands(after(INTENT))[:4] == (Step.INTENT, 1, Decimal("0.05"), Decimal("0.05"))
    assert stands(after(INTENT, REJECTED))[:3] == (Step.REJECTED, 1, 0)
    assert after(INTENT, ACCEPTED).jobs[0].facts == {"status_url": "u"}
    assert stands(after(INTENT, ACCEPTED, DONE)) == (Step.OK, 1, Decimal("0.03"), Decimal("0.03"), None)


def test_a_lost_job_that_was_found_is_accepted_and_paid_once() -> None:
    found = after(INTENT, UNKNOWN, ACCEPTED)
    assert found.step(0) is Step.ACCEPTED
    assert found.spent == Decimal("0.05")
    found.add(0, DONE)
    assert (found.step(0), found.spent) == (Step.OK, Decimal("0.03"))


def test_every_attempt_counts_what_it_has_cost() -> None:
    history = after(INTENT, ACCEPTED, DONE, *SECOND)
    assert (history.step(0), history.attempts[0]) == (Step.FAILED, 2)
    assert history.spent == Decimal("0.04")


def test_a_job_that_can_be_asked_again_is_kept() -> None:
    failed = rec("done", status="failed", usd="0.03", retrievable=True)
    assert after(INTENT, ACCEPTED, failed).jobs[0].id == "job-1"
    assert not after(INTENT, ACCEPTED, rec("done", status="failed", usd="0.03")).jobs


def test_when_an_unknown_was_sent_is_remembered() -> None:
    assert after(INTENT, UNKNOWN).lost[0].sent == "2026-01-01"
    assert after(INTENT, UNKNOWN).lost[0].reason == "cut off"
    assert not after(INTENT, UNKNOWN, ACCEPTED, DONE).lost


def test_the_order_of_whole_journals_does_not_matter() -> None:
    parts = [[INTENT, UNKNOWN], [ACCEPTED, DONE], SECOND]
    stood = {stands(after(*itertools.chain(*order))) for order in itertools.permutations(parts)}
    assert stood == {(Step.FAILED, 2, Decimal("0.01"), Decimal("0.04"), None)}


steps = st.sampled_from([INTENT, ACCEPTED, REJECTED, UNKNOWN, DONE])


@settings(max_examples=200)
@given(st.lists(steps, max_size=6))
def test_an_attempt_only_climbs(records: list[dict[str, object]]) -> None:
    history, highest = History(TRIALS), 0
    for record in records:
        history.add(0, record)
        assert history.steps[0] >= highest
        highest = history.steps[0]


def test_other_trials_and_torn_lines_are_left_out(workspace: Workspace) -> None:
    for run, record in (("a", INTENT), ("b", DONE), ("c", {**DONE, "trial": "cd" * 32})):
        with Journal(workspace.runs / run / "journal.jsonl") as journal:
            journal.append(record)
    with (workspace.runs / "c" / "journal.jsonl").open("a") as torn:
        torn.write(json.dumps(UNKNOWN)[:40])
    history = read_history(workspace, TRIALS)
    assert stands(history)[:2] == (Step.OK, 1)
    assert len(history.dropped) == 1
    assert set(read_generations(workspace)) == {ID, "cd" * 32}
    assert read_generations(workspace)[ID].price.usd == Decimal("0.03")
