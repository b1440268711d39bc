from __future__ import annotations

import numpy as np
import pytest

from evalkit.errors import UsageError
from evalkit.stats import totals_of


def test_totals_by_label() -> None:
    totals = totals_of([1.0, 2.0, np.nan, 4.0], ["b", "a", "a", "b"])
    assert totals.sums.tolist() == [2.0, 5.0]
    assert totals.counts.tolist() == [1.0, 2.0]
    assert (totals.mean, totals.n, totals.smallest, totals.largest) == (pytest.approx(7 / 3), 3, 1.0, 4.0)


def test_effective_clusters() -> None:
    assert totals_of(np.ones(12), np.arange(12) // 3).effective_clusters == pytest.approx(4)
    assert totals_of(np.ones(12), [0] * 9 + [1, 2, 3]).effective_clusters == pytest.approx(144 / 84)


def test_jackknife_of_single_values_is_the_textbook_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=25)
    error = totals_of(values, np.arange(25)).jackknife_error()
    assert error == pytest.approx(values.std(ddof=1) / 5)


def test_labels_must_fit_values() -> None:
    with pytest.raises(UsageError):
        totals_of([1.0, 2.0], ["a"])
