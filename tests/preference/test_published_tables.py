"""Published results, reproduced to the digits printed. Where the counts come from: tables/README.md."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from evalkit.preference import votes_from_rows
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import davidson, rao_kupper, sides
from evalkit.preference.models import plackett_luce as pl
from evalkit.preference.models.fitted import ELO_PER_LOGIT, Fitted
from evalkit.preference.models.registry import loss_per_vote
from evalkit.preference.rankings import rankings_from_lists
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE

TABLES = Path(__file__).parent / "tables"
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def beside(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not beside this checkout")
    return DATA / name


def table(name: str, columns: tuple[str, ...]) -> Tensor:
    """Counts by pair; `columns` are the two names, then wins of the first and second, then ties if any."""
    rows = [[row[column] for column in columns] for row in read(TABLES / name)]
    systems = tuple(sorted({name for row in rows for name in row[:2]}))
    counts = np.zeros((4, len(systems), len(systems)))
    for first, second, *numbers in rows:
        i, j = systems.index(first), systems.index(second)
        for answer, number in zip((LEFT, RIGHT, TIE), numbers, strict=False):
            counts[answer, i, j] = float(number)
    return Tensor(systems, counts)


def against(found: Fitted, systems: tuple[str, ...], reference: str) -> dict[str, float]:
    at = systems.index(reference)
    return {name: float(found.theta[i] - found.theta[at]) for i, name in enumerate(systems)}


def errors_against(V: np.ndarray, reference: int) -> np.ndarray:
    """Standard errors of differences from one system."""
    return np.sqrt(np.diag(V) + V[reference, reference] - 2 * V[reference])


def sandwich(found: Fitted, tensor: Tensor) -> np.ndarray:
    """Covariance of the abilities where every vote stands alone (Huber 1967), from scores of vote cells."""
    by_cell = tensor.counts * found.left**2
    between = by_cell.sum(axis=0)
    M = np.diag((between + between.T).sum(axis=1)) - between - between.T
    return found.bread @ M @ found.bread


@pytest.mark.parametrize("name", ["simple", "food"])
def test_evalica_bradley_terry(name: str) -> None:
    """dustalov/evalica 2ebe79e, golden files: scores that sum to one, ties half a win."""
    tensor, golden = evalica(name, "bradley_terry")
    strength = np.exp(bt.fitted(tensor).theta)
    assert dict(zip(tensor.systems, strength / strength.sum(), strict=True)) == {
        item: pytest.approx(score, abs=1e-12) for item, score in golden.items()
    }


@pytest.mark.parametrize(("name", "v"), [("simple", 3.46099911), ("food", 0.07864191)])
def test_evalica_newman(name: str, v: float) -> None:
    """Newman's (2023) model is Davidson's with nu = 2 v; evalica 2ebe79e. Scores up to a common factor."""
    tensor, golden = evalica(name, "newman")
    found = davidson.fitted(tensor)
    logs = np.log([golden[system] for system in tensor.systems])
    assert found.theta == pytest.approx(logs - logs.mean(), abs=1e-9)
    assert np.exp(found.extra[0]) / 2 == pytest.approx(v, abs=1e-8)


def evalica(name: str, algorithm: str) -> tuple[Tensor, dict[str, float]]:
    rows = read(beside(f"evalica-{name}.csv"))
    golden = read(beside(f"evalica-{name}-golden.csv"))
    votes = votes_from_rows((row["left"], row["right"], row["winner"], "", "") for row in rows)
    return tensor_of(votes), {
        row["item"]: float(row["score"]) for row in golden if row["algorithm"] == algorithm
    }


def test_four_teams() -> None:
    """Worked example of the Wikipedia article "Bradley-Terry model"; also a test of arena-rank 3900eae."""
    wins = np.array([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]], dtype=float)
    assert np.exp(bt.fit(wins).theta) == pytest.approx([0.640, 1.043, 0.660, 2.270], abs=1e-3)


def wins_of(pairs: Iterable[tuple[int, int]], size: int) -> np.ndarray:
    wins = np.zeros((size, size))
    for winner, loser in pairs:
        wins[winner, loser] += 1
    return wins


EIGHT = [
    (7, 3), (2, 0), (5, 2), (4, 2), (2, 1), (4, 5), (6, 3), (5, 4), (7, 0), (2, 3),
    (4, 0), (0, 4), (6, 5), (3, 2), (3, 4), (3, 4), (5, 2), (7, 3), (7, 6), (6, 5),
]  # fmt: skip


def test_choix_eight_with_a_ridge() -> None:
    """lucasmaystre/choix 7494ad3, tests/test_opt.py: the log-likelihood minus half the sum of squares.

    There is no such penalty here, so Newton's method is run on our gradient and information with it.
    """
    wins, theta, alpha = wins_of(EIGHT, 8), np.zeros(8), 0.5
    for _ in range(20):
        H = bt.information(theta, wins) + 2 * alpha * np.eye(8)
        theta = theta + np.linalg.solve(H, bt.gradient(theta, wins) - 2 * alpha * theta)
    published = [
        -0.51974039, -0.46280878, -0.31376862, -0.06854694, -0.3185146, -0.00346107, 0.63032783, 1.05651257,
    ]  # fmt: skip
    assert theta == pytest.approx(published, abs=1e-7)


def test_choix_cycle() -> None:
    """lucasmaystre/choix 7494ad3, tests/data/testcase-pairwise-2.json."""
    found = bt.fit(wins_of([(0, 1), (0, 1), (1, 2), (2, 0)], 3))
    assert found.theta == pytest.approx([0.419617624, -0.419617624, 0.0], abs=1e-8)


def test_choix_partial_rankings() -> None:
    """lucasmaystre/choix 7494ad3, tests/data/testcase-rankings-2.json; it stops just short of the maximum."""
    rankings = rankings_from_lists([["0", "1", "2"], ["3", "2", "0"], ["1", "3"]])
    published = np.array([-0.44328117, 0.69506219, -0.67061442, 0.4188334])
    found, (choices, sizes) = pl.fitted(rankings).fitted, pl.ranking_choices(rankings)
    assert found.theta == pytest.approx(published, abs=5e-5)
    assert found.log_likelihood > pl.surface(published, choices, 4, sizes).value


def test_baseball() -> None:
    """Agresti (2002), table 10.11, column 3, and the standard errors of "about 0.3"; BradleyTerry2's test."""
    tensor = table("baseball-1987.csv", ("home", "away", "home_wins", "away_wins"))
    found = bt.fitted(tensor)
    relative = against(found, tensor.systems, "Baltimore")
    assert sorted(round(value, 2) for value in relative.values()) == [0.0, 0.68, 1.11, 1.25, 1.29, 1.44, 1.58]
    errors = errors_against(found.bread, tensor.systems.index("Baltimore"))
    assert np.round(errors, 1).tolist() == [0.0] + [0.3] * 6


def test_baseball_at_home() -> None:
    """Agresti (2002), table 10.11, column 5, and the home effect of 0.302."""
    tensor = table("baseball-1987.csv", ("home", "away", "home_wins", "away_wins"))
    found = sides.fitted(tensor)
    assert found.extra[0] == pytest.approx(0.302, abs=5e-4)
    strength = np.exp(found.theta)
    assert sorted((strength / strength.sum()).round(3).tolist()) == [
        0.044, 0.088, 0.137, 0.157, 0.164, 0.190, 0.220,
    ]  # fmt: skip


def test_citations() -> None:
    """BradleyTerry2 8428d7a on Stigler's counts, relative to Biometrika; errors by the inverse Hessian."""
    tensor = table("citations.csv", ("a", "b", "a_wins", "b_wins"))
    found = bt.fitted(tensor)
    assert against(found, tensor.systems, "Biometrika") == {
        "Biometrika": 0.0,
        "Comm Statist": pytest.approx(-2.9491, abs=1e-4),
        "JASA": pytest.approx(-0.4796, abs=1e-4),
        "JRSS-B": pytest.approx(0.2690, abs=1e-4),
    }
    assert errors_against(found.bread, 0)[1:] == pytest.approx([0.1025, 0.0606, 0.0708], abs=1e-4)


WORTH = [0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855]
"""Davidson (1970), example 2, stopped after 7 iterations; more digits from the vignette of PlackettLuce."""


def test_pudding_by_davidson() -> None:
    """Standard errors from the same vignette, relative to the first brand."""
    tensor = table("pudding.csv", ("a", "b", "a_wins", "b_wins", "ties"))
    found = davidson.fitted(tensor)
    strength = np.exp(found.theta)
    assert strength / strength.sum() == pytest.approx(WORTH, abs=1e-4)
    assert np.exp(found.extra[0]) == pytest.approx(0.7468147, abs=1e-4)
    assert found.extra[0] == pytest.approx(-0.2919, abs=1e-4)
    assert np.sqrt(found.bread[6, 6]) == pytest.approx(0.0825, abs=1e-4)
    errors = errors_against(found.bread[:6, :6], 0)[1:]
    assert errors == pytest.approx([0.1872, 0.1935, 0.1882, 0.1927, 0.1924], abs=1e-4)


def test_pudding_as_rankings_of_two() -> None:
    rows = read(TABLES / "pudding.csv")
    lists: list[list[str | list[str]]] = []
    for row in rows:
        a, b = row["a"], row["b"]
        lists += int(row["a_wins"]) * [[a, b]] + int(row["b_wins"]) * [[b, a]] + int(row["ties"]) * [[[a, b]]]
    found = pl.fitted(rankings_from_lists(lists)).fitted
    strength = np.exp(found.theta)
    assert strength / strength.sum() == pytest.approx(WORTH, abs=1e-4)
    assert found.extra[0] == pytest.approx(-0.2919, abs=1e-4)
    assert -2 * found.log_likelihood == pytest.approx(1619.4, abs=0.05)


def test_five_comparisons() -> None:
    """Vignette of PlackettLuce 411b1ef, section 2.3: A, B and C without D, relative to A."""
    found = pl.fitted(rankings_from_lists([["A", "B"], ["C", "A"], ["B", "A"], ["B", "C"]])).fitted
    assert found.theta - found.theta[0] == pytest.approx([0.0, 0.8392, 0.4196], abs=1e-4)
    assert errors_against(found.bread, 0)[1:] == pytest.approx([1.3596, 1.5973], abs=1e-4)
    assert -2 * found.log_likelihood == pytest.approx(5.1356, abs=1e-4)


def test_springall() -> None:
    """Not published: from a separately written program. Relative to the first gel."""
    tensor = table("springall.csv", ("a", "b", "a_wins", "b_wins", "ties"))
    half, with_ties = bt.fitted(tensor), davidson.fitted(tensor)
    assert half.theta - half.theta[0] == pytest.approx(
        [0, 1.5398, 2.2237, 0.2696, 1.2845, 1.9238, -0.8623, -0.0027, 0.4126], abs=1e-4
    )
    assert with_ties.theta - with_ties.theta[0] == pytest.approx(
        [0, 2.2732, 3.2907, 0.3976, 1.8948, 2.8428, -1.2815, -0.0049, 0.6074], abs=1e-4
    )
    assert with_ties.extra[0] == pytest.approx(-0.1444, abs=1e-4)


def test_nascar() -> None:
    """Hunter (2004), section 5, and the vignette of PlackettLuce: by average place, the first and last three.

    Those are P. J. Jones, Scott Pruett and Mark Martin; Dave Marcis, Dick Trickle and Joe Varde.
    """
    races = [line.split() for line in (TABLES / "nascar-2002.txt").read_text().splitlines()]
    rankings = rankings_from_lists(races)
    assert (rankings.n, len(rankings.systems)) == (36, 83)
    found = pl.fitted(rankings).fitted
    assert found.converged
    ability = against(found, rankings.systems, "1")
    places: dict[str, list[int]] = {}
    for race in races:
        for place, driver in enumerate(race):
            places.setdefault(driver, []).append(place)
    drivers = sorted(ability, key=lambda driver: (np.mean(places[driver]), int(driver)))
    ends = [ability[driver] for driver in (*drivers[:3], *drivers[-3:])]
    assert np.round(ends, 2).tolist() == [4.15, 3.62, 2.08, 0.03, -0.31, -0.15]


@cache
def chatbot_arena() -> Tensor:
    """Counts of 2024-08-14 as in suquark/leaderbot b9a8e16: 129 models, wins, losses, ties and "both bad"."""
    content = json.loads(beside("leaderbot-chatbotarena_20240814.json").read_text(encoding="utf-8"))
    pairs, numbers = np.array(content["X"]), np.array(content["Y"])
    counts = np.zeros((4, len(content["models"]), len(content["models"])))
    for column, answer in enumerate((LEFT, RIGHT, TIE, BOTH_BAD)):
        np.add.at(counts[answer], (pairs[:, 0], pairs[:, 1]), numbers[:, column])
    return Tensor(tuple(content["models"]), counts)


def test_chatbot_arena_losses() -> None:
    """README of leaderbot: 0.6554, 1.0095 and 1.0100; more digits by running leaderbot 0.4.3 itself."""
    counts = chatbot_arena().counts.copy()
    counts[BOTH_BAD] = 0.0
    tensor = Tensor(chatbot_arena().systems, counts)
    half, threshold, ties = bt.fitted(tensor), rao_kupper.fitted(tensor), davidson.fitted(tensor)
    assert loss_per_vote(half, tensor) == pytest.approx(0.655411, abs=1e-6)
    assert loss_per_vote(threshold, tensor) == pytest.approx(1.009483, abs=1e-6)
    assert loss_per_vote(ties, tensor) == pytest.approx(1.010007, abs=1e-6)
    assert threshold.extra[0] == pytest.approx(0.44999, abs=1e-5)
    assert ties.extra[0] == pytest.approx(-0.602215, abs=1e-6)


@pytest.mark.parametrize(
    ("model", "rating", "reach"),
    [
        ("chatgpt-4o-latest", 1203.93, 4.67),
        ("gemini-1.5-pro-exp-0801", 1187.19, 4.05),
        ("gpt-4o-2024-05-13", 1174.60, 2.25),
    ],
)
def test_chatbot_arena_ratings(model: str, rating: float, reach: float) -> None:
    """From a separately written program that agrees with evalica 0.4.2; votes taken to be independent."""
    tensor = chatbot_arena()
    found = bt.fitted(tensor)
    i = tensor.systems.index(model)
    assert found.elo[i] == pytest.approx(rating, abs=0.01)
    error = ELO_PER_LOGIT * np.sqrt(sandwich(found, tensor)[i, i])
    assert 1.96 * error == pytest.approx(reach, abs=0.01)
