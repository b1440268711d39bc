from __future__ import annotations

import json
from collections import Counter
from itertools import combinations

import pytest
from make_run import FakeCase, cases, make_run

from evalkit.errors import UnknownName, UsageError
from evalkit.store import Workspace
from evalkit.study.define import create_study
from evalkit.study.simulate import Panel, simulate_votes

WORTH = {"best": 1.5, "good": 0.5, "poor": -0.5, "worst": -1.5}


@pytest.fixture
def four(workspace: Workspace) -> Workspace:
    """Four systems over two suites."""
    fakes = cases(12) + [FakeCase(f"p{n}", "a face", suite="portrait") for n in range(12)]
    make_run(workspace, fakes, tuple(WORTH))
    create_study(workspace, "s", "r1")
    return workspace


def lines(workspace: Workspace) -> list[dict[str, object]]:
    files = sorted((workspace.votes / "s").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def wins(workspace: Workspace, criterion: str) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for line in lines(workspace):
        pair = line["left"]["system"], line["right"]["system"]
        answer = line["answers"][criterion]
        if answer in ("left", "right"):
            counts[pair if answer == "left" else pair[::-1]] += 1
    return counts


def test_the_planted_order_comes_back(four: Workspace) -> None:
    assert simulate_votes(four, "s", WORTH, Panel(raters=10, votes=900, seed=1)) == 900
    counts = wins(four, "alignment")
    for better, worse in combinations(WORTH, 2):
        assert counts[better, worse] > counts[worse, better]


def test_criteria_may_have_their_own_order(four: Workspace) -> None:
    reverse = {name: -worth for name, worth in WORTH.items()}
    simulate_votes(four, "s", {"alignment": WORTH, "appeal": reverse}, Panel(votes=600, seed=2))
    assert wins(four, "alignment")["best", "worst"] > wins(four, "alignment")["worst", "best"]
    assert wins(four, "appeal")["best", "worst"] < wins(four, "appeal")["worst", "best"]


def test_simulated_votes_are_balanced_marked_and_repeatable(four: Workspace) -> None:
    simulate_votes(four, "s", WORTH, Panel(raters=7, votes=300, seed=3))
    written = lines(four)
    assert all(line["simulated"] for line in written)
    pairs = Counter(frozenset((r["left"]["system"], r["right"]["system"])) for r in written)
    assert set(pairs.values()) == {50}
    sides = Counter(line["left"]["system"] for line in written)
    assert all(55 < count < 95 for count in sides.values())
    create_study(four, "again", "r1")
    simulate_votes(four, "again", WORTH, Panel(raters=7, votes=300, seed=3))
    again = [
        json.loads(line)["answers"]
        for path in (four.votes / "again").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert again == [line["answers"] for line in written]


def test_ties_grow_with_the_tie_width(four: Workspace) -> None:
    simulate_votes(four, "s", dict.fromkeys(WORTH, 0.0), Panel(votes=300, tie_width=50.0))
    answers = Counter(a for line in lines(four) for a in line["answers"].values())
    assert set(answers) == {"tie"}


def test_a_panel_stops_when_it_has_seen_everything(workspace: Workspace) -> None:
    make_run(workspace, cases(3), ("a", "b"))
    create_study(workspace, "s", "r1")
    assert simulate_votes(workspace, "s", {"a": 0.0, "b": 0.0}, Panel(raters=2, votes=100)) == 6


def test_every_system_needs_a_utility(four: Workspace) -> None:
    with pytest.raises(UnknownName, match="worst"):
        simulate_votes(four, "s", {k: v for k, v in WORTH.items() if k != "worst"})
    with pytest.raises(UsageError, match="at least one rater"):
        simulate_votes(four, "s", WORTH, Panel(raters=0))
