"""`evalkit judge` as a person uses it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from judgebench import JUDGE, Bench

from evalkit.cli.main import main


@pytest.fixture
def call(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command on the bench's workspace; exit code, standard output, standard error."""

    def run(*args: str) -> tuple[int, str, str]:
        place = ["--workspace", str(bench.workspace.root), "--anchor-repeats", "0"]
        monkeypatch.setattr(sys, "argv", ["evalkit", "judge", *args, *place])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_a_quote_sends_nothing(call: Any, bench: Bench) -> None:
    code, _, err = call("--judge", JUDGE, "--quote")
    assert code == 0
    assert "16 questions" in err
    assert "at most $0." in err
    code, out, _ = call("--judge", JUDGE, "--quote", "--json", "-q", "rubric")
    quoted = json.loads(out)
    assert (quoted["questions"], quoted["to_ask"], quoted["answered"]) == (6, 6, 0)
    assert 0 < float(quoted["expected_usd"]) < float(quoted["worst_usd"])
    assert not bench.fakes.requests()


def test_without_a_budget_it_says_what_it_would_cost_and_stops(call: Any, bench: Bench) -> None:
    code, _, err = call("--judge", JUDGE)
    assert code == 2
    assert "--budget USD" in err
    assert not bench.fakes.requests()


def test_tables_and_json(call: Any, bench: Bench) -> None:
    code, out, err = call("--judge", JUDGE, "-q", "rubric,pairs", "--budget", "1")
    assert code == 0
    assert "12 to send: expected to cost" in err
    assert "judge_followed" in out
    assert "Pairs, won only in both orders" in out
    code, out, _ = call("--judge", JUDGE, "-q", "rubric,pairs", "--budget", "1", "--json")
    said = json.loads(out)
    assert said["outcomes"] == [{"outcome": "ok", "now": 0, "before": 12}]
    assert {row["score"]: row["scored"] for row in said["scores"]}["judge_preserved"] == 2
    assert said["pairs"][0]["flip_rate"] == 0.0
    assert said["models"] == {"gpt-4.1-mini-2026-01-01": 12}
    assert len(bench.fakes.ledger()) == 12


def test_a_rehearsal_is_free_and_leaves_the_workspace_alone(call: Any, bench: Bench) -> None:
    code, out, err = call("--judge", JUDGE, "-q", "yes-no,pairs", "--rehearse", "--limit", "1")
    assert code == 0
    assert "Rehearsal: nothing leaves this machine" in err
    assert "judge_yes" in out
    assert not bench.fakes.requests(), "it has servers of its own"
    assert not bench.scores()
    assert not bench.facts("pair")
    assert (bench.workspace.root / "rehearsal" / "scores").exists()


def test_failures_and_unknowns_end_with_3_and_are_explained(call: Any, bench: Bench) -> None:
    bench.fakes.faults("openai-chat", "submit:drop_after")
    code, out, err = call("--judge", JUDGE, "-q", "rubric", "--cases", "cup", "--budget", "1")
    assert code == 3
    assert "judge_unknown x2" in out
    assert "never sent again by themselves" in err
    bench.fakes.faults("openai-chat", "")
    code, _, err = call(
        "--judge", JUDGE, "-q", "rubric", "--cases", "cup", "--budget", "1", "--resubmit-unknown", "--yes"
    )
    assert code == 0
    assert "may have been billed already: 2" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "nobody is to judge"),
        (("--judge", "gpt"), "is not a judge"),
        (("--judge", JUDGE, "-q", "all"), "no kind of question"),
        (("--judge", JUDGE, "--cases", "nothing"), "the run has no case"),
        (("--judge", JUDGE, "--budget", "lots"), "not an amount"),
    ],
)
def test_what_is_wrong_is_said(call: Any, args: tuple[str, ...], message: str) -> None:
    code, _, err = call(*args)
    assert code == 2
    assert message in err
