"""Published results of other programs, where their data files are at hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from evalkit.preference import bradley_terry as bt
from evalkit.preference import votes_from_rows
from evalkit.preference.tally import tally

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def read(name: str) -> list[dict[str, str]]:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} (evalica's test data) is not beside this checkout")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["simple", "food"])
def test_evalica_golden_scores(name: str) -> None:
    """dustalov/evalica 2ebe79e: Bradley-Terry scores that sum to one, ties as half a win."""
    rows = [(r["left"], r["right"], r["winner"], "case", "rater") for r in read(f"evalica-{name}.csv")]
    golden = {
        r["item"]: float(r["score"])
        for r in read(f"evalica-{name}-golden.csv")
        if r["algorithm"] == "bradley_terry"
    }
    votes = votes_from_rows(rows)
    cells = tally(votes)
    strength = np.exp(bt.fit(cells.wins(cells.counts)).theta)
    assert dict(zip(votes.systems, strength / strength.sum(), strict=True)) == {
        item: pytest.approx(score, abs=1e-10) for item, score in golden.items()
    }
