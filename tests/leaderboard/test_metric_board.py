from __future__ import annotations

import numpy as np
import pytest
from sampledb import SampleDb

from evalkit.errors import UnknownName, UsageError
from evalkit.leaderboard import BoardRow, headline, metric_board
from evalkit.stats import cluster_bootstrap_mean

METRIC = {"label": "Prompt alignment", "low": -1, "high": 1, "headline": True}


def product(systems: tuple[str, ...] = ("a", "b"), cases: int = 10) -> SampleDb:
    """A run on one suite of `cases` in clusters of two, with nothing done yet."""
    sample = SampleDb()
    sample.suite("product")
    for i in range(cases):
        sample.case("product", f"c{i}", cluster=f"k{i // 2}")
    for system in systems:
        sample.system(system)
    sample.metric("clip", "clip_cos", **METRIC)
    return sample


def scored(sample: SampleDb, system: str, values: list[float | None], replicate: int = 0) -> None:
    for i, value in enumerate(values):
        trial = sample.trial("product", f"c{i}", system, replicate)
        sample.score(trial, "clip", "clip_cos", value, None if value is not None else "decode_error")


def rows_by_system(board: tuple[BoardRow, ...]) -> dict[str, BoardRow]:
    return {row.system: row for row in board}


def test_mean_interval_and_coverage() -> None:
    sample = product(("a",))
    values = [float(v) for v in np.random.default_rng(0).uniform(0.2, 0.4, 10)]
    scored(sample, "a", [*values[:9], None])
    (row,) = metric_board(sample.db)
    clusters = [f"k{i // 2}" for i in range(9)]
    expected = cluster_bootstrap_mean(values[:9], clusters, bounds=(-1.0, 1.0))
    assert (row.estimate.low, row.estimate.high) == (
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )
    assert row.estimate.value == pytest.approx(np.mean(values[:9]))
    assert (row.estimate.n, row.estimate.n_clusters, row.estimate.n_expected) == (9, 5, 10)
    assert (row.n_scored, row.n_expected, row.coverage) == (9, 10, 0.9)
    assert (row.label, row.better, row.bounds, row.headline) == (
        "Prompt alignment",
        "higher",
        (-1.0, 1.0),
        True,
    )


def test_replicates_are_folded_before_anything_else() -> None:
    sample = product(("a",), cases=2)
    scored(sample, "a", [0.1, 0.4])
    for replicate in (1, 2, 3):
        trial = sample.trial("product", "c0", "a", replicate)
        sample.score(trial, "clip", "clip_cos", 0.3)
    (row,) = metric_board(sample.db)
    assert row.estimate.value == pytest.approx(((0.1 + 3 * 0.3) / 4 + 0.4) / 2)
    assert (row.estimate.n, row.n_scored) == (2, 5)


def test_a_missing_score_is_never_a_zero() -> None:
    sample = product()
    scored(sample, "a", [0.3] * 5 + [0.4] * 5)
    for i in range(10):
        sample.trial("product", f"c{i}", "b", status="refused", stage="input")
    row = rows_by_system(metric_board(sample.db))["b"]
    assert (row.estimate.value, row.estimate.low, row.estimate.note) == (None, None, "no values")
    assert (row.n_scored, row.n_expected) == (0, 10)


def test_coverage_gap_is_flagged_on_every_row_of_the_output() -> None:
    sample = product()
    scored(sample, "a", [0.3 + i / 100 for i in range(10)])
    scored(sample, "b", [0.3, None, *[0.4] * 8])
    board = metric_board(sample.db)
    assert all(row.coverage_gap and "cannot be compared" in row.note for row in board)
    even = product()
    scored(even, "a", [0.3 + i / 100 for i in range(10)])
    scored(even, "b", [0.2 + i / 100 for i in range(10)])
    assert not any(row.coverage_gap for row in metric_board(even.db))


def test_best_first_in_the_direction_of_the_metric() -> None:
    sample = product(("a", "b", "c"))
    sample.metric("lpips", "lpips", better="lower", low=0, position=1)
    for system, value in {"a": 0.2, "b": 0.3, "c": 0.1}.items():
        for i in range(10):
            trial = sample.trial("product", f"c{i}", system)
            sample.score(trial, "clip", "clip_cos", value + i / 1000)
            sample.score(trial, "lpips", "lpips", value + i / 1000)
    board = metric_board(sample.db)
    assert [row.system for row in board if row.output == "clip_cos"] == ["b", "a", "c"]
    assert [row.system for row in board if row.output == "lpips"] == ["c", "a", "b"]
    assert metric_board(sample.db, outputs=["lpips"]) == tuple(row for row in board if row.output == "lpips")


@pytest.mark.parametrize(
    ("category", "output"),
    [
        ("product", "clip_cos"),
        ("typography", "ocr_word_f1"),
        ("edit-preservation", "lpips_out"),
        ("something-new", "clip_cos"),
    ],
)
def test_each_category_has_one_headline(category: str, output: str) -> None:
    sample = SampleDb()
    sample.suite("s", category)
    sample.case("s", "c0")
    sample.system("a")
    for metric, name in {"clip": "clip_cos", "lpips": "lpips_out", "ocr": "ocr_word_f1"}.items():
        sample.metric(metric, name, headline=True)
    trial = sample.trial("s", "c0", "a")
    for metric, name in {"clip": "clip_cos", "lpips": "lpips_out", "ocr": "ocr_word_f1"}.items():
        sample.score(trial, metric, name, 0.5)
    assert [row.output for row in metric_board(sample.db) if row.headline] == [output]


def test_an_unscored_headline_gives_way_to_a_scored_one() -> None:
    sample = product(("a",), cases=2)
    scored(sample, "a", [0.2, 0.3])
    sample.metric("clip[model=large]", "clip_cos", **METRIC)
    heads = [row.metric for row in metric_board(sample.db) if row.headline]
    assert heads == ["clip"]


def test_differences_are_paired() -> None:
    """Cases differ far more than systems: only a paired difference can tell them apart."""
    sample = product()
    rng = np.random.default_rng(2)
    level = rng.uniform(-0.5, 0.5, 10)
    scored(sample, "a", [float(v) for v in level + 0.05 + rng.normal(0, 0.005, 10)])
    scored(sample, "b", [*[float(v) for v in level[:9]], None])
    board = metric_board(sample.db)
    lead = headline(sample.db, board, sample.run, "product")
    assert lead is not None
    assert (lead.leader.system, lead.others[0].row.system) in {("a", "b"), ("b", "a")}
    gap = lead.others[0].difference
    assert (gap.n, abs(gap.value)) == (9, pytest.approx(0.05, abs=0.01))
    assert lead.others[0].decided is True
    assert board[0].estimate.high - board[0].estimate.low > 10 * (gap.high - gap.low)


def test_equal_systems_are_not_told_apart() -> None:
    sample = product()
    rng = np.random.default_rng(4)
    for system in ("a", "b"):
        scored(sample, system, [float(v) for v in rng.uniform(0.2, 0.4, 10)])
    lead = headline(sample.db, metric_board(sample.db), sample.run, "product")
    assert lead is not None
    assert lead.others[0].decided is False


def test_no_scores_no_headline() -> None:
    sample = product()
    sample.trial("product", "c0", "a", status=None)
    assert headline(sample.db, metric_board(sample.db), sample.run, "product") is None


def test_the_newest_run_unless_one_is_named() -> None:
    sample = product(("a",), cases=2)
    scored(sample, "a", [0.2, 0.3])
    assert metric_board(sample.db) == metric_board(sample.db, "run-1")
    with pytest.raises(UnknownName, match="run-2"):
        metric_board(sample.db, "run-2")
    sample.db.execute("DELETE FROM runs")
    with pytest.raises(UsageError, match="no run"):
        metric_board(sample.db)


def test_the_same_pictures_are_the_same_and_not_told_apart() -> None:
    sample = product()
    values = [0.3 + i / 100 for i in range(10)]
    scored(sample, "a", values)
    scored(sample, "b", values)
    lead = headline(sample.db, metric_board(sample.db), sample.run, "product")
    assert lead is not None
    gap = lead.others[0].difference
    assert (gap.value, gap.low, gap.note, lead.others[0].decided) == (
        0.0,
        None,
        "the same on every case",
        False,
    )


def test_right_on_every_case_against_wrong_on_every_case_is_decided() -> None:
    sample = SampleDb()
    sample.suite("typography")
    sample.metric("ocr", "ocr_word_f1", low=0, high=1)
    for system, value in {"a": 1.0, "b": 0.0}.items():
        sample.system(system)
        for i in range(10):
            if system == "a":
                sample.case("typography", f"c{i}")
            sample.score(sample.trial("typography", f"c{i}", system), "ocr", "ocr_word_f1", value)
    lead = headline(sample.db, metric_board(sample.db), sample.run, "typography")
    assert lead is not None
    gap = lead.others[0].difference
    assert (gap.value, gap.high, lead.others[0].decided) == (1.0, 1.0, True)
    assert gap.low == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 10)))


@pytest.mark.parametrize(("low", "interval"), [(0.0, True), (-1.0, False)])
def test_equal_values_get_an_interval_on_a_scale_from_0_to_1_only(low: float, interval: bool) -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    sample.metric("m", "m", low=low, high=1)
    for i in range(8):
        sample.case("product", f"c{i}")
        sample.score(sample.trial("product", f"c{i}", "a"), "m", "m", 1.0)
    (row,) = metric_board(sample.db)
    assert (row.estimate.low is not None) is interval
