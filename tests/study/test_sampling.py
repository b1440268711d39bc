from __future__ import annotations

import math
import random
import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest
from make_run import cases, make_run

from evalkit.errors import EvalkitError, UnknownName, UsageError
from evalkit.preference.pairing import All, Place, Top
from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study, load_study
from evalkit.study.sampling import SPACING, Board, Cell, Item, Sampling, check_goal, read_goal, won

SYSTEMS = ("a", "b", "c")
FIVE = ("a", "b", "c", "d", "e")
WORTH = {"a": 1.0, "b": 0.9, "c": 0.0, "d": -0.9, "e": -1.0}


def items(
    cases: int = 8, categories: tuple[str, ...] = ("x", "y"), systems: tuple[str, ...] = SYSTEMS
) -> list[Item]:
    return [
        Item(f"{category}{case}/{a}{b}", (category, str(case)), Cell(category, a, b))
        for category in categories
        for case in range(cases)
        for a, b in combinations(systems, 2)
    ]


def answer(item: Item, rng: random.Random) -> float:
    """1 if the first system of a pair wins, by the Bradley-Terry model."""
    gap = WORTH[item.cell.system_a] - WORTH[item.cell.system_b]
    return float(rng.random() < 1.0 / (1.0 + math.exp(-gap)))


def play(
    board: Board, everything: dict[str, Item], steps: int, raters: int = 12
) -> list[tuple[str, str, float]]:
    """Let raters vote in turn; what was cast, in order."""
    rng, cast = random.Random(1), []
    for step in range(steps):
        rater = f"r{step % raters}"
        pick = board.pick(rater)
        assert pick is not None
        outcome = answer(everything[pick.comparison], rng)
        board.take(rater, pick.comparison, outcome)
        cast.append((rater, pick.comparison, outcome))
    return cast


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


AIMED = Sampling(goal="top-2", minimum=2, refit=10)


def test_a_goal_waits_until_every_cell_has_its_minimum() -> None:
    everything = {item.comparison: item for item in items(systems=FIVE)}
    board = Board(everything.values(), 4, AIMED)
    cast = play(board, everything, 120)
    first, later = (Counter(everything[c].cell for _, c, _ in part) for part in (cast[:40], cast[40:]))
    assert set(first.values()) == {2}
    assert len(first) == 20
    assert max(later.values()) > 3 * min(later.values())


@pytest.mark.parametrize("goal", ["all", "top-1", "new:c"])
def test_probabilities_are_those_of_the_choice_when_aimed(goal: str) -> None:
    """The same history under many seeds: each comparison, and each pair, comes as often as it says."""
    everything = {item.comparison: item for item in items(cases=3, categories=("x",), systems=FIVE)}
    sampling = Sampling(goal=goal, minimum=1, refit=10)
    history = play(Board(everything.values(), 0, sampling), everything, 40, raters=4)
    chosen, told, pairs, of_pair, runs = Counter(), {}, Counter(), {}, 500
    for seed in range(runs):
        board = Board(everything.values(), seed, sampling)
        for rater, comparison, outcome in history:
            board.take(rater, comparison, outcome)
        pick = board.pick("r0")
        assert pick is not None
        pair = everything[pick.comparison].cell.pair
        chosen[pick.comparison] += 1
        pairs[pair] += 1
        told[pick.comparison], of_pair[pair] = pick.propensity, pick.pair_propensity
    assert math.isclose(sum(of_pair.values()), 1.0)
    assert math.isclose(sum(told.values()), 1.0)
    for counts, chances in ((chosen, told), (pairs, of_pair)):
        for key, chance in chances.items():
            assert abs(counts[key] / runs - chance) < 4.5 * math.sqrt(chance * (1 - chance) / runs)


def test_every_pair_keeps_its_share() -> None:
    """Whatever the goal, each of ten pairs comes with at least a fifth of a tenth of the votes."""
    everything = {item.comparison: item for item in items(cases=40, systems=FIVE)}
    board = Board(everything.values(), 2, AIMED)
    play(board, everything, 100)
    for step in range(50):
        pick = board.pick(f"other{step}")
        assert pick is not None
        assert pick.pair_propensity >= 0.02 - 1e-12


def test_votes_go_where_the_goal_is() -> None:
    everything = {item.comparison: item for item in items(cases=60, systems=FIVE)}
    for goal, wanted in (("top-1", ("a", "b")), ("new:c", ("c",))):
        board = Board(everything.values(), 3, Sampling(goal=goal, minimum=1))
        cast = play(board, everything, 400)
        cells = [everything[comparison].cell for _, comparison, _ in cast[100:]]
        share = sum(set(wanted) <= {*cell.pair} for cell in cells) / len(cells)
        alike = 0.4 if goal == "new:c" else 0.1
        assert share > 1.4 * alike


def test_categories_and_cases_of_a_pair_stay_balanced_when_aimed() -> None:
    everything = {item.comparison: item for item in items(cases=6, systems=FIVE)}
    board = Board(everything.values(), 5, AIMED)
    cast = play(board, everything, 300, raters=300)
    votes = Counter(comparison for _, comparison, _ in cast)
    cells = Counter(everything[comparison].cell for _, comparison, _ in cast)
    for a, b in combinations(FIVE, 2):
        mine = [cells[Cell(category, a, b)] for category in ("x", "y")]
        assert max(mine) - min(mine) <= 1
    for cell in cells:
        each = [votes[c] for c, item in everything.items() if item.cell == cell]
        assert max(each) - min(each) <= 1


def test_a_board_opened_again_goes_on_as_before() -> None:
    everything = {item.comparison: item for item in items(systems=FIVE)}
    board = Board(everything.values(), 6, AIMED)
    cast = play(board, everything, 75)
    again = Board(everything.values(), 6, AIMED)
    for rater, comparison, outcome in cast:
        again.take(rater, comparison, outcome)
    assert [again.pick(f"r{n}") for n in range(8)] == [board.pick(f"r{n}") for n in range(8)]


def test_a_vote_counts_once_and_not_after_it_was_taken_back() -> None:
    everything = {item.comparison: item for item in items(systems=FIVE)}
    sampling = Sampling(goal="all", minimum=1, refit=1)
    plain, other = (Board(everything.values(), 7, sampling) for _ in range(2))
    cast = play(plain, everything, 60)
    for rater, comparison, outcome in cast[:-1]:
        other.take(rater, comparison, 1.0 - outcome)
        other.take(rater, comparison, outcome)
        other.take(rater, comparison, outcome)
    rater, comparison, outcome = cast[-1]
    other.take(rater, comparison, outcome)
    assert other.pick("new") == plain.pick("new")
    other.forget(rater, comparison)
    other.forget(rater, comparison)
    other.take(rater, comparison, outcome)
    assert other.pick("next") == plain.pick("next")


def test_weighting_by_the_pair_undoes_that_it_was_favoured() -> None:
    """Votes over their pair's probability add up to one for each vote cast, on every pair, on average."""
    everything = {item.comparison: item for item in items(cases=30, categories=("x",), systems=SYSTEMS)}
    sampling, runs, steps = Sampling(goal="top-1", minimum=0, refit=10), 80, 50
    totals = {pair: [] for pair in combinations(SYSTEMS, 2)}
    for seed in range(runs):
        board, rng = Board(everything.values(), seed, sampling), random.Random(seed)
        weights = Counter(dict.fromkeys(totals, 0.0))
        for step in range(steps):
            pick = board.pick(f"r{step}")
            assert pick is not None
            item = everything[pick.comparison]
            board.take(f"r{step}", pick.comparison, answer(item, rng))
            weights[item.cell.pair] += 1.0 / pick.pair_propensity
        for pair, weight in weights.items():
            totals[pair].append(weight)
    for each in totals.values():
        mean = sum(each) / runs
        noise = math.sqrt(sum((x - mean) ** 2 for x in each)) / runs
        assert abs(mean - steps) < 4.0 * noise


def test_a_rater_sees_everything_once_when_aimed_too() -> None:
    everything = items(systems=FIVE)
    board = Board(everything, 0, Sampling(goal="top-2", minimum=1))
    seen = []
    while (pick := board.pick("r")) is not None:
        seen.append(pick.comparison)
    assert sorted(seen) == sorted(i.comparison for i in everything)


@pytest.mark.parametrize(
    ("answers", "left", "share"),
    [
        (["left"], "a", 1.0),
        (["left"], "b", 0.0),
        (["left", "tie"], "a", 0.75),
        (["right", "both_bad"], "b", 0.75),
        (["skip", "left"], "a", 1.0),
        (["skip"], "a", None),
        ([], "a", None),
    ],
)
def test_a_ballot_is_one_vote_however_many_questions_it_asks(
    answers: list[str], left: str, share: float | None
) -> None:
    assert won(answers, left) == share


def test_goals_are_read() -> None:
    assert read_goal("all", FIVE) == All()
    assert read_goal("top-3", FIVE) == Top(3)
    assert read_goal("new:d", FIVE) == Place(3)
    check_goal("balanced", FIVE)
    check_goal("new:top-2:x", ("top-2:x", "b"))


@pytest.mark.parametrize(
    ("goal", "kind", "hint"),
    [
        ("new:f", UnknownName, "Known: a, b, c, d, e"),
        ("new:", UnknownName, "new:SYSTEM"),
        ("top-0", UsageError, "top-1 to top-4"),
        ("top-5", UsageError, "or all"),
        ("top-x", UsageError, "top-1 to top-4"),
        ("top", UnknownName, "top-K"),
        ("best", UnknownName, "balanced"),
    ],
)
def test_goals_that_mean_nothing_are_answered_with_those_that_do(
    goal: str, kind: type[EvalkitError], hint: str
) -> None:
    with pytest.raises(kind) as error:
        check_goal(goal, FIVE)
    assert hint in error.value.hint


def test_a_balanced_study_loads_no_scipy() -> None:
    code = (
        "import sys; from evalkit.study.sampling import Board, Cell, Item;"
        "board = Board([Item('c', ('s', '1'), Cell('x', 'a', 'b'))], 0); board.pick('r');"
        "print('scipy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_a_study_keeps_its_goal(workspace: Workspace) -> None:
    make_run(workspace, cases(2), SYSTEMS)
    assert create_study(workspace, "plain", "r1").sampling == "balanced"
    create_study(workspace, "placing", "r1", StudyOptions(goal="new:b"))
    assert load_study(workspace, "placing").sampling == "new:b"
    with pytest.raises(UnknownName) as error:
        create_study(workspace, "other", "r1", StudyOptions(goal="new:d"))
    assert "a, b, c" in error.value.hint
