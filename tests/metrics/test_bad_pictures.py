"""What our metrics do with pictures that cannot be judged: reasons, never numbers, never errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from evalkit.metrics.base import Metric
from evalkit.metrics.lpips import Lpips
from evalkit.metrics.networks.perceivers import blank_lpips, lpips_perceiver
from evalkit.metrics.ocr import Ocr
from evalkit.metrics.pixels import Pixels


@pytest.fixture(scope="module", params=["pixels", "lpips", "ocr"])
def metric(request: pytest.FixtureRequest) -> Metric:
    if request.param == "lpips":
        return Lpips(perceiver=lpips_perceiver(blank_lpips("squeeze")))
    return Pixels() if request.param == "pixels" else Ocr()


def picture(*size: int) -> np.ndarray:
    return np.zeros((*size, 3), np.uint8)


def mask(*size: int, value: bool = False) -> np.ndarray:
    return np.full(size, value, np.bool_)


CASES = {
    "broken": (None, picture(40, 40), mask(40, 40)),
    "one pixel": (picture(1, 1), picture(1, 1), mask(1, 1)),
    "one pixel for a photo": (picture(1, 1), picture(40, 40), mask(40, 40)),
    "a thin strip": (picture(1, 900), picture(1, 900), mask(1, 900)),
    "everything may change": (picture(40, 40), picture(40, 40), mask(40, 40, value=True)),
    "nothing may change": (picture(40, 40), picture(40, 40), mask(40, 40)),
    "another shape": (picture(40, 90), picture(40, 40), mask(40, 40)),
    "a mask of another size": (picture(40, 40), picture(40, 40), mask(20, 20)),
    "no source": (picture(40, 40), None, None),
}


@pytest.mark.parametrize("name", CASES)
def test_every_output_is_a_number_or_a_reason(metric: Metric, make_subject, name: str):
    image, source, region = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (values,) = metric.score([make_subject(image, source, region, expected_text=("OPEN",))])
    assert set(values) == {output.name for output in metric.outputs}
    for value in values.values():
        assert (value.value is None) == bool(value.reason)
        assert value.value is None or np.isfinite(value.value)
    if name == "broken":
        assert {value.reason for value in values.values()} == {"decode_error"}


def test_values_stay_within_their_declared_bounds(metric: Metric, make_subject, photo, noisy, centre_mask):
    subjects = [make_subject(image, photo, centre_mask, expected_text=("OPEN",)) for image in (photo, noisy)]
    for values in metric.score(subjects):
        for output in metric.outputs:
            value = values[output.name].value
            if value is not None:
                assert output.low is None or value >= output.low - 1e-9
                assert output.high is None or value <= output.high + 1e-9
