"""What the votes section says of clear, open, broken and empty studies, in words and for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reportscenario import NOW, Scenario, inputs_of
from sampledb import T0, SampleDb
from votedsample import insert

from evalkit.report import Definition, Inputs, Report, build_report
from evalkit.report import context as report_context

CASES, RATERS = 40, 40


def started(systems: Sequence[str], categories: Sequence[str] = ("product",)) -> SampleDb:
    """A run of these systems, of which nothing has come back yet, and a study with two questions."""
    sample = SampleDb()
    for category in categories:
        sample.suite(category)
    for system in systems:
        sample.system(system)
    for category in categories:
        for i in range(CASES):
            sample.case(category, f"{category}-{i}")
    sample.study("panel", systems, ["appeal", "detail"])
    return sample


def ask(
    sample: SampleDb,
    chance: dict[tuple[str, str], float],
    votes: int,
    category: str = "product",
    contrary: int = 0,
) -> None:
    """Everybody votes on every pair; `chance` is that of the first. The first `contrary` raters invert it."""
    rng, start = np.random.default_rng(5), len(sample.db.execute("SELECT 1 FROM ballot_rows").fetchall())
    ballots, answers = [], []
    for number, ((a, b), p, n) in enumerate(
        ((pair, p, n) for pair, p in chance.items() for n in range(votes)), start
    ):
        rater, ballot = n % RATERS, f"b{number:05d}"
        wins, swap = rng.random() < (1.0 - p if rater < contrary else p), rng.random() < 0.5
        left, right = (b, a) if swap else (a, b)
        case = f"{category}-{int(rng.integers(CASES))}"
        known = {"study": "panel", "ballot": ballot, "t": T0}
        sides = {"left_system": left, "right_system": right}
        trials = {
            f"{side}_trial": sample.trial_id(category, case, name)
            for side, name in (("left", left), ("right", right))
        }
        place = {"suite": category, "case": case, "rater": f"r{rater}", "simulated": False}
        ballots.append({**known, **sides, **trials, **place, "comparison": ballot})
        answers.append({**known, "criterion": "appeal", "answer": "left" if wins != swap else "right"})
    insert(sample, "ballot_rows", ballots)
    insert(sample, "vote_rows", answers)


def told(sample: SampleDb, tmp_path: Path, *sections: str) -> tuple[str, dict[str, Any]]:
    """The text of a report of these sections without tags, and its results."""
    definition = Definition("R", sections or ("votes",))
    report = build_report(
        Inputs(sample.db, lambda digest: b"", definition, now=NOW), tmp_path / "report.html"
    )
    html = report.path.read_text("utf-8")
    body = html[html.index("<body") :]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)).replace("&#39;", "'")
    return text, json.loads(report.results.read_text("utf-8"), parse_constant=_no_constant)["sections"]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.fixture(scope="module")
def votes(html: str) -> str:
    return html[html.index('id="votes"') : html.index('id="validity"')]


@pytest.fixture(scope="module")
def criteria(report: Report) -> list[dict[str, Any]]:
    found = json.loads(report.results.read_text("utf-8"), parse_constant=_no_constant)
    return found["sections"]["votes"][0]["criteria"]  # type: ignore[no-any-return]


def test_every_board_has_ranks_chances_and_a_panel(votes: str) -> None:
    boards = votes.count('<table class="board">')
    assert boards == 2
    for heading in ("Rank", "P(best)", r"P(top 3)"):
        assert votes.count(f'<th scope="col" class="num">{heading}</th>') == boards, heading
    assert votes.count("Can you trust this?") == boards
    assert votes.count("ied for first") + votes.count("First:") > boards
    assert votes.count("What limits you:") == boards
    assert votes.count("ategories rank differently") == boards
    assert votes.count("Raters: how far they agree") == boards
    assert "each opponent counts alike" in votes
    assert "Thick bars are there to be compared by eye" in votes


def test_results_have_ranks_chances_and_findings(criteria: list[dict[str, Any]]) -> None:
    for board in criteria:
        size = len(board["ratings"])
        for line in board["ratings"]:
            assert 1 <= line["rank_low"] <= line["rank_high"] <= size
            assert 1 <= line["overlap_low"] <= line["overlap_high"] <= size
            assert 0.0 <= line["p_best"] <= line["p_top"] <= 1.0
        assert sum(line["p_best"] for line in board["ratings"]) == pytest.approx(1.0)
        first = [line["system"] for line in board["ratings"] if line["tied_first"]]
        assert board["tied_for_first"] == first
        assert {"name", "level", "sentence", "numbers"} <= set(board["trust"]["findings"][0])
        assert len(board["categories"]["slices"]) == 4
        assert board["assisted"]["systems"]
        assert board["rater_report"]["agreement"]["alpha"]["value"] is not None


def test_the_page_says_what_the_results_say(votes: str, criteria: list[dict[str, Any]]) -> None:
    for board in criteria:
        for finding in board["trust"]["findings"]:
            assert finding["sentence"][1:].replace("'", "&#39;") in votes, finding["name"]
    for line in criteria[0]["ratings"]:
        low, high = line["rank_low"], line["rank_high"]
        assert f">{low}</td>" if low == high else f">{low}–{high}</td>" in votes


def test_the_rank_by_overlap_is_for_machines_only(votes: str) -> None:
    assert "overlap_low" not in votes
    assert "LMArena" not in votes


def test_levels_are_words_and_signs_not_colour_alone(votes: str, criteria: list[dict[str, Any]]) -> None:
    found = [f for board in criteria for f in board["trust"]["findings"] if f["name"] != "logged chances"]
    marks = re.findall(r'<span class="mark"><span aria-hidden="true">(.)</span> ([\w ]+)</span>', votes)
    assert len(marks) == sum(f["level"] != "fine" for f in found)
    assert set(marks) <= {("!", "With care"), ("✗", "Not yet"), ("?", "Not known")}


def test_every_board_is_computed_once(
    made: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("rank", "rank_slices", "rater_reports", "assisted_board", "vote_board"):
        real = getattr(report_context, name)

        def counted(*args: Any, _real: Any = real, _name: str = name, **options: Any) -> Any:
            calls.append(_name)
            return _real(*args, **options)

        monkeypatch.setattr(report_context, name, counted)
    build_report(inputs_of(made, Definition("R", ("summary", "votes", "methods"))), tmp_path / "r.html")
    assert sorted(calls) == sorted(["rank", "rank_slices", "rater_reports", "assisted_board"] * 2)


def test_a_clear_first_is_called_first_and_its_pairs_are_decided(tmp_path: Path) -> None:
    sample = started(["a", "b", "c"])
    ask(sample, {("a", "b"): 0.9, ("a", "c"): 0.95, ("b", "c"): 0.55}, 400)
    text, results = told(sample, tmp_path, "summary", "votes")
    board = results["votes"][0]["criteria"][0]
    assert board["tied_for_first"] == ["a"]
    assert "First: a." in text
    assert "Tied for first:" not in text
    assert "Appeal: a is first:" in text
    assert results["summary"]["votes"] == [
        {"study": "panel", "simulated": False, "criterion": "appeal", "tied_for_first": ["a"]}
    ]
    decided = [(v["a"], v["b"]) for v in board["verdicts"] if v["outcome"] == "ahead"]
    assert {("a", "b"), ("a", "c")} <= set(decided)
    assert "Decided: stop paying." in text
    assert f"{len(decided)} of 3 pairs need no more votes: " in text
    assert "a over b" in text
    html = (tmp_path / "report.html").read_text("utf-8")
    assert html.count('<span class="hidden">decided</span>') == 2 * len(decided)


def test_an_open_lead_is_called_tied(tmp_path: Path) -> None:
    sample = started(["a", "b", "c"])
    ask(sample, {("a", "b"): 0.5, ("a", "c"): 0.9, ("b", "c"): 0.9}, 80)
    text, results = told(sample, tmp_path, "summary", "votes")
    first = results["votes"][0]["criteria"][0]["tied_for_first"]
    assert sorted(first) == ["a", "b"]
    assert f"Tied for first: {first[0]}, {first[1]}." in text
    assert f"Appeal: tied for first: {first[0]}, {first[1]}." in text
    assert "is preferred" not in text
    assert "No votes yet on: detail." in text


def test_systems_that_never_met_have_no_ranks_and_a_reason_to_stop(tmp_path: Path) -> None:
    sample = started(["a", "b", "c", "d"])
    ask(sample, {("a", "b"): 0.6, ("c", "d"): 0.6}, 60)
    text, results = told(sample, tmp_path, "summary", "votes")
    board = results["votes"][0]["criteria"][0]
    assert all(line["rank_low"] is None and line["p_best"] is None for line in board["ratings"])
    assert (board["tied_for_first"], board["trust"]["level"]) == ([], "stop")
    assert "Can you trust this? Not yet." in text
    assert "✗ Not yet Not one scale" in text
    assert "no common scale; see the votes" in text
    assert "ied for first: " not in text
    assert "stop paying" not in text
    assert "Thick bars" not in text
    assert "P(best): the chance" not in text


def test_votes_that_choose_nobody_are_no_board(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    ask(sample, {("a", "b"): 0.5}, 30)
    sample.db.execute("UPDATE vote_rows SET answer = 'tie'")
    text, results = told(sample, tmp_path)
    assert results["votes"][0]["criteria"][0]["votes"] == 30
    assert "Can you trust this?" in text


def test_a_single_vote_is_shown_without_an_interval(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    sample.vote("panel", "b1", ("a", "b"), ("product", "product-1"), appeal="left")
    text, results = told(sample, tmp_path, "summary", "votes")
    board = results["votes"][0]["criteria"][0]
    assert {line["rank_low"] for line in board["ratings"]} == {None}
    assert board["trust"]["level"] == "stop"
    assert "ied for first: " not in text


def test_a_study_whose_ballots_answer_nothing_has_no_board(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    sample.vote("panel", "b1", ("a", "b"), ("product", "product-1"), appeal="skip")
    text, results = told(sample, tmp_path, "summary", "votes")
    assert results["votes"][0]["criteria"] == []
    assert "No votes yet on: appeal, detail." in text
    assert "What raters said" not in text


def test_raters_that_vote_against_all_others_are_named_with_the_reason(tmp_path: Path) -> None:
    sample = started(["a", "b", "c"])
    ask(sample, {("a", "b"): 0.9, ("a", "c"): 0.95, ("b", "c"): 0.8}, 800, contrary=2)
    text, results = told(sample, tmp_path)
    report = results["votes"][0]["criteria"][0]["rater_report"]
    assert {line["rater"] for line in report["raters"]} == {"r0", "r1"}
    assert "Raters: how far they agree, and 2 to look at" in text
    assert "r0 to be reviewed" in text
    assert all(line["why"] in text.replace("&#34;", '"') for line in report["raters"])
    assert "Without suspects" in text
    assert report["ratings_trusted"]
    assert "r7" not in text


def test_nobody_to_doubt_is_said(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    ask(sample, {("a", "b"): 0.8}, 400)
    text, results = told(sample, tmp_path)
    assert results["votes"][0]["criteria"][0]["rater_report"]["raters"] == []
    assert "Nothing speaks against any of them." in text
    assert "Without suspects" not in text


def test_votes_that_do_not_say_whose_they_are(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    ask(sample, {("a", "b"): 0.7}, 60)
    sample.db.execute("UPDATE ballot_rows SET rater = NULL")
    text, results = told(sample, tmp_path)
    assert results["votes"][0]["criteria"][0]["rater_report"]["raters"] == []
    assert "Nothing is known of the raters: no vote says whose it is." in text
    assert "by 0 raters" not in text.split("Appeal", 1)[1]


def test_why_metrics_do_not_help_is_said_in_a_line(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    ask(sample, {("a", "b"): 0.7}, 60)
    text, _ = told(sample, tmp_path)
    assert "Metrics do not sharpen these shares: no metric tells these pictures apart." in text


def test_shares_that_metrics_sharpen_are_listed(tmp_path: Path) -> None:
    sample = started(["a", "b"])
    ask(sample, {("a", "b"): 0.5}, 900)
    sample.metric("clip", "clip_cos", headline=True)
    for i in range(CASES):
        for system in "ab":
            trial = sample.trial("product", f"product-{i}", system)
            sample.score(trial, "clip", "clip_cos", float(np.sin(i)) if system == "a" else 0.0)
    sample.db.execute(
        "UPDATE vote_rows v SET answer = CASE WHEN (sin(split_part(b.\"case\", '-', 2)::INTEGER) > 0) "
        "= (b.left_system = 'a') THEN 'left' ELSE 'right' END FROM ballot_rows b WHERE b.ballot = v.ballot"
    )
    sample.db.execute("DELETE FROM ballot_rows WHERE split_part(\"case\", '-', 2)::INTEGER >= 28")
    text, results = told(sample, tmp_path)
    board = results["votes"][0]["criteria"][0]["assisted"]
    assert "assisted" in {row["used"] for row in [*board["systems"], *board["pairs"]]}
    assert "Shares of votes, sharpened by metrics where these help" in text
    assert "votes and metrics" in text


@pytest.mark.parametrize("alike", [True, False])
def test_whether_categories_rank_differently(alike: bool, tmp_path: Path) -> None:
    sample = started(["a", "b", "c"], ("product", "portrait"))
    chance = {("a", "b"): 0.8, ("a", "c"): 0.9, ("b", "c"): 0.7}
    ask(sample, chance, 150, "product")
    ask(sample, chance if alike else {pair: 1.0 - p for pair, p in chance.items()}, 150, "portrait")
    text, results = told(sample, tmp_path)
    p = results["votes"][0]["criteria"][0]["categories"]["differ"]["p_value"]
    assert (p >= 0.05) is alike
    assert ("No sign that categories rank differently" in text) is alike
    assert ("Most clearly: " in text) is not alike
    assert "Each category by itself" in text


def test_names_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    sample = started(["a", "b", f"c{evil}"])
    ask(sample, {("a", "b"): 0.9, ("a", f"c{evil}"): 0.95, ("b", f"c{evil}"): 0.8}, 800, contrary=2)
    sample.db.execute("UPDATE ballot_rows SET rater = rater || $evil", {"evil": evil})
    told(sample, tmp_path, "summary", "votes")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "<script" not in html
    assert "r0&lt;script&gt;" in html
