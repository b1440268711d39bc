"""A judging against the fake: what each kind of answer becomes, and that nothing is paid twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from judgebench import FACE, JUDGE, Bench

from evalkit.errors import UsageError
from evalkit.judge.answers import read_answers
from evalkit.judge.pairs import settle_pair
from evalkit.judge.questions import ask_about, candidates, read_kinds
from evalkit.leaderboard import metric_board
from evalkit.runs import load_plan, read_history
from evalkit.warehouse import connect

RUBRIC = f"judge[ask=rubric,model={JUDGE}]"
YES_NO = f"judge[ask=yes-no,model={JUDGE}]"


def test_a_rubric_has_two_numbers_that_stay_apart(bench: Bench) -> None:
    report = bench.judge("rubric")
    assert report.ran.made == Counter(ok=6)
    assert bench.values("judge_followed") == {
        ("good", "cup"): (10, None),
        ("good", "ball"): (10, None),
        ("good", "blue"): (10, None),
        ("bad", "cup"): (3, None),
        ("bad", "ball"): (10, None),
        ("bad", "blue"): (6, None),
    }
    assert bench.values("judge_preserved") == {("good", "blue"): (10, None), ("bad", "blue"): (10, None)}
    assert set(bench.values("judge_appeal")) == {(s, c) for s in ("good", "bad") for c in ("cup", "ball")}


def test_yes_is_a_probability_and_a_graph_is_a_mean(bench: Bench) -> None:
    report = bench.judge("yes-no")
    assert report.tally.scored == Counter(judge_yes=6, judge_graph=2)
    yes = bench.values("judge_yes")
    assert yes["good", "cup"] == (pytest.approx(0.95), None)
    assert yes["bad", "cup"] == (pytest.approx(0.32), None)
    assert bench.values("judge_graph") == {("good", "cup"): (0.5, None), ("bad", "cup"): (0.0, None)}


def test_an_edit_is_shown_with_its_source_both_as_they_are(bench: Bench) -> None:
    bench.judge("rubric", cases=("blue",))
    bodies = [json.loads(seen.body) for seen in bench.fakes.requests() if seen.method == "POST"]
    assert len(bodies) == 2
    for body in bodies:
        parts = body["messages"][0]["content"]
        assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]
        assert body["temperature"] == 0
        assert body["max_completion_tokens"] == 400
        assert body["response_format"]["json_schema"]["strict"] is True
        assert "logprobs" not in body
    first = {body["messages"][0]["content"][1]["image_url"]["url"] for body in bodies}
    assert len(first) == 1, "the source comes first"


@pytest.mark.parametrize(
    ("fault", "reason", "status"),
    [
        ("shape:prose", "unparsable", "ok"),
        ("shape:sorry", "judge_refused", "ok"),
        ("shape:cut", "truncated", "ok"),
        ("end:moderation", "judge_refused", "refused"),
        ("end:moderation=filter", "judge_refused", "refused"),
        ("end:moderation=input", "judge_refused", "refused"),
        ("end:validation", "judge_failed", "failed"),
        ("submit:noid", "judge_unknown", "unknown"),
        ("submit:badjson", "judge_unknown", "unknown"),
        ("submit:drop_after", "judge_unknown", "unknown"),
        ("submit:500,after=1", "judge_unknown", "unknown"),
    ],
)
def test_what_is_no_answer_is_null_and_says_why(bench: Bench, fault: str, reason: str, status: str) -> None:
    bench.fakes.faults(FACE, fault)
    report = bench.judge("rubric", cases=("cup",))
    assert report.ran.made == Counter({status: 2})
    assert set(bench.values("judge_followed").values()) == {(None, reason)}
    assert report.tally.nulls["judge_followed"] == Counter({reason: 2})
    assert report.tally.scored == Counter()
    detail = bench.scores()[0]["values"][0]["detail"]
    assert detail, "the evidence is kept"


@pytest.mark.parametrize(
    ("fault", "value", "reason", "flag"),
    [
        ("shape:nologprobs", 1.0, None, "no_logprobs"),
        ("shape:neither", None, "no_yes_no_token", None),
        ("shape:neither; shape:nologprobs", None, "no_yes_no_token", None),
        ("end:moderation", None, "judge_refused", None),
    ],
)
def test_yes_and_no(
    bench: Bench, fault: str, value: float | None, reason: str | None, flag: str | None
) -> None:
    bench.fakes.faults(FACE, fault)
    bench.judge("yes-no", cases=("ball",))
    (good, bad) = (record["values"][0] for record in bench.scores())
    for found in (good, bad):
        assert (found["value"], found["reason"], found.get("flag")) == (value, reason, flag)


def test_an_unanswered_question_makes_no_graph(bench: Bench) -> None:
    bench.fakes.faults(FACE, "shape:neither")
    bench.judge("yes-no", cases=("cup",))
    assert set(bench.values("judge_graph").values()) == {(None, "unanswered")}


# Pairs -------------------------------------------------------------------------------------------------


def test_pairs_are_asked_in_both_orders(bench: Bench) -> None:
    report = bench.judge("pairs")
    assert report.ran.made == Counter(ok=6)
    assert {r["case"]: (r["forward"], r["backward"], r["result"]) for r in bench.facts("pair")} == {
        "cup": ("second", "first", "b"),
        "ball": ("tie", "tie", "tie"),
        "blue": ("second", "first", "b"),
    }
    (rate,) = report.win_rates
    assert (rate.a, rate.b, rate.wins, rate.losses, rate.ties) == ("bad", "good", 0, 2, 1)
    assert rate.rate.value == pytest.approx(1 / 6)
    assert (rate.flips, rate.decided_twice) == (0, 2)
    assert not bench.scores(), "a pair is no score"


def test_a_judge_that_likes_what_comes_first_decides_nothing(bench: Bench) -> None:
    bench.fakes.faults(FACE, "shape:first")
    (rate,) = bench.judge("pairs").win_rates
    assert (rate.wins, rate.losses, rate.ties) == (0, 0, 3)
    assert rate.flip_rate == 1.0


def test_a_pair_with_one_answer_is_null(bench: Bench) -> None:
    bench.fakes.faults(FACE, "shape:prose")
    report = bench.judge("pairs", cases=("cup",))
    (record,) = bench.facts("pair")
    assert (record["result"], record["reason"], record["flipped"]) == (None, "unparsable", None)
    (rate,) = report.win_rates
    assert (rate.rate.value, rate.rate.n, rate.rate.n_expected) == (None, 0, 1)


def test_pairs_are_a_view_of_their_own(bench: Bench) -> None:
    bench.judge("pairs")
    with connect(bench.workspace) as db:
        rows = db.execute(
            "SELECT category, cluster, system_a, system_b, result FROM judge_pairs ORDER BY ALL"
        ).fetchall()
        votes = db.execute("SELECT count(*) FROM votes").fetchone()
    assert rows[0] == ("product", "ball", "bad", "good", "tie")
    assert len(rows) == 3
    assert votes == (0,)


# Money -------------------------------------------------------------------------------------------------


def test_nothing_is_sent_without_a_budget(bench: Bench) -> None:
    session = bench.session("rubric")
    assert session.quote().worst > session.quote().expected > 0
    with pytest.raises(UsageError, match="cost up to"):
        bench.judge("rubric", budget=None)
    assert not bench.fakes.requests()


def test_the_budget_is_never_passed(bench: Bench) -> None:
    session = bench.session("rubric")
    cap = max(session.judge.price(question).worst for question in session.sheet.questions.values())
    report = bench.judge("rubric", budget=str(cap), concurrency=1)
    assert "budget" in report.ran.stopped
    assert report.ran.exit_code == 5
    assert report.ran.spent_usd <= cap
    assert 0 < len(bench.fakes.ledger()) < 6
    assert report.tally.scored["judge_followed"] == len(bench.fakes.ledger()), "what is known is written down"
    more = bench.judge("rubric")
    assert more.ran.made["ok"] + more.ran.reused["ok"] == 6
    assert set(bench.asked().values()) == {1}


def test_what_is_charged_is_what_the_answer_counts(bench: Bench) -> None:
    report = bench.judge("yes-no", cases=("ball",), limit=1)
    with connect(bench.session("yes-no").judging) as db:
        rows = db.execute(
            "SELECT category, status, basis, sum(cost_usd) FROM charges GROUP BY ALL"
        ).fetchall()
    assert rows == [("product", "ok", "tokens", report.ran.spent_usd)]
    assert 0 < report.ran.spent_usd < Decimal("0.01")


def test_an_unknown_price_has_to_be_assumed(bench: Bench) -> None:
    with pytest.raises(UsageError, match="nobody knows what openai-chat:gpt-9 costs"):
        bench.session("rubric", judge="openai-chat:gpt-9")
    session = bench.session("rubric", judge="openai-chat:gpt-9", assume_price=Decimal("0.02"))
    assert session.quote().worst == Decimal("0.12")


def test_a_gateway_says_what_it_charged(bench: Bench) -> None:
    report = bench.judge("rubric", judge="openrouter-chat:qwen/qwen-vl", assume_price=Decimal("0.01"))
    assert report.ran.spent_usd == Decimal("0.0012")


def test_a_server_of_ones_own_is_free(bench: Bench) -> None:
    report = bench.judge("rubric", budget=None, judge="local-chat:http://127.0.0.1:9/v1?model=qwen-vl")
    assert report.ran.made == Counter(ok=6)
    assert report.ran.spent_usd == 0


# Never twice -------------------------------------------------------------------------------------------


def test_the_same_command_asks_nothing_twice(bench: Bench) -> None:
    bench.judge("yes-no", "rubric", "pairs")
    before, written = bench.asked(), len(bench.scores())
    again = bench.judge("yes-no", "rubric", "pairs")
    assert bench.asked() == before
    assert set(before.values()) == {1}
    assert not again.ran.made
    assert len(bench.scores()) == written, "nor is anything written twice"
    assert again.win_rates


def test_a_lost_answer_is_never_sent_again_by_itself(bench: Bench) -> None:
    bench.fakes.faults(FACE, "submit:drop_after")
    report = bench.judge("rubric", cases=("cup",))
    assert len(report.ran.unknown) == 2
    bench.fakes.faults(FACE, "")
    for flag in ({}, {"retry_failed": True}):
        again = bench.judge("rubric", cases=("cup",), **flag)
        assert again.ran.reused == Counter(unknown=2)
    assert len(bench.fakes.ledger()) == 2
    bench.judge("rubric", cases=("cup",), resubmit_unknown=True)
    assert len(bench.fakes.ledger()) == 4
    assert bench.values("judge_followed")["good", "cup"] == (10, None)


def test_being_told_to_slow_down_is_waited_out(bench: Bench) -> None:
    bench.fakes.faults(FACE, "submit:429*2,ra=0")
    report = bench.judge("rubric", cases=("cup",))
    assert report.ran.made == Counter(ok=2)
    assert set(bench.asked().values()) == {1}


def test_a_failure_is_asked_again_if_that_is_wanted(bench: Bench) -> None:
    bench.fakes.faults(FACE, "end:validation")
    bench.judge("rubric", cases=("cup",))
    bench.fakes.faults(FACE, "")
    bench.judge("rubric", cases=("cup",))
    assert bench.values("judge_followed")["good", "cup"] == (None, "judge_failed")
    bench.judge("rubric", cases=("cup",), retry_failed=True)
    assert bench.values("judge_followed")["good", "cup"] == (10, None)
    with connect(bench.workspace) as db:
        found = db.execute(
            "SELECT count(*), count(value) FROM scores WHERE output = 'judge_followed'"
        ).fetchone()
    assert found == (6, 2), "the newest score counts"


CHILD = """
import sys
from decimal import Decimal
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from judgebench import Bench
from evalkit.store import Workspace
bench = Bench(Workspace.open(sys.argv[2]), None)
bench.judge("yes-no", "rubric", "pairs", concurrency=2)
"""


def test_kill_9_loses_nothing_and_pays_nothing_twice(bench: Bench) -> None:
    bench.fakes.faults(FACE, "submit:slow=0.25")
    here = Path(__file__).parent
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(here), str(bench.workspace.root)])
    deadline = time.monotonic() + 60
    while len(bench.fakes.ledger()) < 6 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    bench.fakes.faults(FACE, "")
    report = bench.judge("yes-no", "rubric", "pairs")
    ended = report.ran.made + report.ran.reused
    assert ended.total() == 22
    assert ended["ok"] == 22 - len(report.ran.unknown)
    assert len(report.ran.unknown) <= 2, "no more than were under way"
    assert max(bench.asked().values()) == 1
    assert len(bench.fakes.ledger()) == 22 or report.ran.unknown


# What is kept with a score -----------------------------------------------------------------------------


def test_a_score_says_who_gave_it_to_what_question_and_when(bench: Bench) -> None:
    report = bench.judge("rubric", cases=("cup",))
    (record, _) = bench.scores()
    assert record["metric"] == RUBRIC
    assert record["judged"]["model"] == "gpt-4.1-mini-2026-01-01", "as the endpoint calls itself"
    assert record["judged"]["templates"][0].startswith("rubric@1:")
    assert record["judged"]["answered"] <= record["t"]
    assert report.models == Counter({"gpt-4.1-mini-2026-01-01": 2})
    assert '"followed": 10' in record["values"][0]["detail"]
    with connect(bench.workspace) as db:
        kept = db.execute("SELECT DISTINCT model, metric, templates[1] FROM judged_scores").fetchall()
    assert kept == [("gpt-4.1-mini-2026-01-01", RUBRIC, record["judged"]["templates"][0])]


def test_boards_show_judged_scores_with_coverage_and_caveat(bench: Bench) -> None:
    bench.judge("yes-no", "rubric", cases=("cup", "blue"))
    with connect(bench.workspace) as db:
        board = {(row.system, row.output): row for row in metric_board(db)}
    yes = board["good", "judge_yes"]
    assert (yes.metric, yes.n_scored, yes.n_expected, yes.bounds) == (YES_NO, 2, 3, (0.0, 1.0))
    assert "not people" in yes.caveat
    graph = board["good", "judge_graph"]
    assert (graph.n_scored, graph.n_expected) == (1, 1), "only a case with questions owes it"
    assert (board["good", "judge_preserved"].n_expected, board["good", "judge_appeal"].n_expected) == (1, 2)


def test_the_raw_answer_is_an_object_and_the_plan_says_what_was_asked(bench: Bench) -> None:
    session = bench.session("rubric", cases=("cup",))
    bench.judge("rubric", cases=("cup",))
    plan = load_plan(session.judging, session.plan.plan.run)
    assert [case.case.prompt for case in plan.cases] == [q.text for q in session.sheet.questions.values()]
    assert plan.cases[0].case.checks[0]["pictures"] == [session.sheet.rubric[0].candidate.picture.sha256]
    answers = read_answers(session.judging, session.plan.trials)
    assert all(answer.reply and json.loads(answer.reply.text)["appeal"] == 7 for answer in answers.values())
    assert read_history(session.judging, plan.trials).spent > 0


def test_other_parameters_or_another_judge_are_other_questions(bench: Bench) -> None:
    sessions = [
        bench.session("rubric", judge=judge)
        for judge in (JUDGE, f"{JUDGE}?detail=low", f"{JUDGE}?max_tokens=300", "openai-chat:gpt-4.1")
    ]
    ids = [set(session.plan.trials.values()) for session in sessions]
    assert len(set.union(*ids)) == 4 * 6


def test_the_same_picture_by_two_systems_is_asked_about_once(bench: Bench) -> None:
    found = candidates(bench.workspace, bench.plan, cases=("ball",))
    twins = [replace(found[1], picture=found[0].picture), found[0]]
    sheet = ask_about(twins, ("rubric", "pairs"))
    assert len(sheet.questions) == 1
    assert len(sheet.rubric) == 2
    settled = settle_pair(sheet.pairs[0], {})
    assert settled is not None
    assert (settled.result, settled.reason) == ("tie", "same_picture")


def test_what_cannot_be_asked_is_an_error(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no case 'cupp'"):
        bench.session("rubric", cases=("cupp",))
    alone = [one for one in candidates(bench.workspace, bench.plan) if one.system == "good"]
    assert not ask_about(alone, ("pairs",)).questions
    with pytest.raises(UsageError, match="'yes' is no kind of question"):
        read_kinds("yes,rubric")
