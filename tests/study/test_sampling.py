from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

from evalkit.study.sampling import SPACING, Board, Cell, Item

SYSTEMS = ("a", "b", "c")


def items(cases: int = 8, categories: tuple[str, ...] = ("x", "y")) -> list[Item]:
    return [
        Item(f"{category}{case}/{a}{b}", (category, str(case)), Cell(category, a, b))
        for category in categories
        for case in range(cases)
        for a, b in combinations(SYSTEMS, 2)
    ]


def test_cells_and_cases_stay_balanced_at_every_moment() -> None:
    everything = {item.comparison: item for item in items()}
    board = Board(everything.values(), seed=1)
    cells: Counter[Cell] = Counter(dict.fromkeys({i.cell for i in everything.values()}, 0))
    for step in range(200):
        pick = board.pick(f"r{step % 10}")
        assert pick is not None
        cells[everything[pick.comparison].cell] += 1
        assert max(cells.values()) - min(cells.values()) <= 1


def test_the_least_seen_case_of_a_cell_comes_next() -> None:
    board = Board(items(cases=4, categories=("x",)), seed=1)
    seen = Counter(board.pick(f"r{n}").comparison for n in range(24))
    assert set(seen.values()) == {2}


def test_propensity_is_the_probability_of_the_choice() -> None:
    """Over many seeds, each first choice comes up as often as it says."""
    first: Counter[str] = Counter()
    told: dict[str, float] = {}
    runs = 6000
    for seed in range(runs):
        board = Board(items(cases=2), seed=seed)
        board.take("other", "x0/ab")
        pick = board.pick("r")
        assert pick is not None
        first[pick.comparison] += 1
        told[pick.comparison] = pick.propensity
    assert math.isclose(sum(told.values()), 1.0)
    for comparison, probability in told.items():
        deviation = math.sqrt(probability * (1 - probability) / runs)
        assert abs(first[comparison] / runs - probability) < 4.5 * deviation


def test_sides_alternate_for_each_rater_and_pair() -> None:
    everything = {item.comparison: item for item in items()}
    board = Board(everything.values(), seed=3)
    lefts: dict[tuple[str, str], list[str]] = {}
    while (pick := board.pick("r")) is not None:
        cell = everything[pick.comparison].cell
        lefts.setdefault((cell.system_a, cell.system_b), []).append(pick.left)
    for sides in lefts.values():
        assert sides == (["a", "b"] * 8 if sides[0] == "a" else ["b", "a"] * 8)


def test_first_sides_differ_between_raters() -> None:
    board = Board(items(cases=400, categories=("x",)), seed=3)
    lefts = Counter(board.pick(f"r{n}").left for n in range(400))
    assert 150 < lefts["a"] < 250


def test_a_rater_sees_everything_once_and_then_nothing() -> None:
    everything = items()
    board = Board(everything, seed=0)
    seen = []
    while (pick := board.pick("r")) is not None:
        seen.append(pick.comparison)
    assert sorted(seen) == sorted(i.comparison for i in everything)
    assert board.remaining("r") == 0
    assert board.remaining("other") == len(everything)


def test_the_same_case_does_not_come_back_soon() -> None:
    everything = {item.comparison: item for item in items(cases=8)}
    board = Board(everything.values(), seed=5)
    shown = [everything[board.pick("r").comparison].case for _ in range(30)]
    for n, case in enumerate(shown):
        assert case not in shown[max(0, n - SPACING) : n]


def test_what_was_given_back_is_shown_again() -> None:
    board = Board(items(cases=1, categories=("x",))[:1], seed=0)
    first = board.pick("r")
    assert first is not None
    assert board.pick("r") is None
    board.give_back("r", first.comparison)
    board.give_back("r", first.comparison)
    again = board.pick("r")
    assert again is not None
    assert again.comparison == first.comparison
    assert again.propensity == 1.0


def test_the_order_depends_on_the_seed_only() -> None:
    def order(seed: int) -> list[str]:
        board = Board(items(), seed=seed)
        return [board.pick("r").comparison for _ in range(20)]

    assert order(1) == order(1)
    assert order(1) != order(2)
