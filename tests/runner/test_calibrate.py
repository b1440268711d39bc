"""Known faults, graded, and what metrics notice of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from evalkit.cli import calibration
from evalkit.runner import calibrate as module
from evalkit.runner.calibrate import Calibration, Finding, Task, by_chance, calibrate, look
from evalkit.runner.calibrate import _from as noticed_from
from evalkit.runner.calibrate import _grades as grades
from evalkit.runner.graded import FAULTS, fault, specimens


@pytest.mark.parametrize("kind", ["text", "scene", "edit"])
def test_specimens_are_drawn_and_have_what_faults_need(kind: str) -> None:
    found = specimens(kind, 2)
    assert len(found) == 2
    for one in found:
        assert one.clean.shape == one.wrong.shape
        assert not np.array_equal(one.clean, one.wrong)
        assert (one.source is not None) == (one.mask is not None) == (kind == "edit")
        assert bool(one.case.expected_text) == (kind == "text")


@pytest.mark.parametrize("one", FAULTS, ids=lambda one: one.name)
def test_every_fault_changes_the_picture_more_the_stronger_it_is(one) -> None:
    specimen = specimens(one.kinds[0], 2)[0]
    off = []
    for strength in one.strengths:
        image = one.make(specimen, strength)
        assert image.shape == specimen.clean.shape
        off.append(float(np.abs(image.astype(int) - specimen.clean).mean()))
    assert off[0] > 0
    assert off[-1] > off[0]


def test_a_shift_is_noticed_by_what_compares_pixels() -> None:
    values = look(Task(("pixels",), "edit", 5, "shifted"))
    psnr = values["pixels", "psnr_out"]
    assert len(psnr) == 1 + len(fault("shifted").strengths)
    assert all(faulty < clean for clean, faulty in zip(psnr[0], psnr[-1], strict=True))
    assert ("pixels", "size_ratio") not in values


def test_grades_count_pictures_that_are_ranked_below_their_twins() -> None:
    rows = [[0.9] * 10, [0.8] * 9 + [0.95], [0.8] * 5 + [0.95] * 5, [None] * 10]
    assert list(grades([rows], "higher", 3)) == [(0.9, True), (0.5, False), (None, False)]
    assert [share for share, _ in grades([rows], "lower", 2)] == [0.1, 0.5]


def test_too_few_pictures_prove_nothing() -> None:
    assert list(grades([[[1.0] * 4, [0.0] * 4]], "higher", 1)) == [(1.0, False)]


@pytest.mark.parametrize(("worse", "n"), [(9, 10), (10, 10), (5, 10), (0, 5), (7, 8)])
def test_chance_is_the_sign_test(worse: int, n: int) -> None:
    assert by_chance(worse, n) == pytest.approx(binomtest(worse, n, 0.5, alternative="greater").pvalue)


def test_noticed_from_is_the_weakest_with_all_stronger_ones() -> None:
    assert noticed_from((1, 2, 3), (False, True, True)) == 2
    assert noticed_from((1, 2, 3), (True, False, True)) == 3
    assert noticed_from((1, 2, 3), (True, True, False)) is None


def test_calibration_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAULTS", (fault("tinted"),))
    monkeypatch.setattr(module, "MUST", {"psnr_out": ("tinted",), "spill": ("tinted",)})
    found = calibrate("pixels", count=5, workers=1)
    cells = {one.output: one for one in found.findings}
    assert cells["psnr_out"].noticed_from is not None
    assert cells["psnr_out"].required
    assert cells["noop"].noticed_from is None
    assert found.missing == {}


def test_what_is_missed_ends_with_an_error(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    missed = Finding("m", "out", "Out", "tinted", "levels", (1.0, 2.0), (0.2, 0.4), None, required=True)
    seen = Finding("m", "other", "Other", "tinted", "levels", (1.0, 2.0), (0.2, 1.0), 2.0, required=True)
    monkeypatch.setattr(
        calibration,
        "calibrate",
        lambda *_, **__: Calibration((missed, seen), {"clip": "no weights. pull them"}),
    )
    for as_json in (False, True):
        with pytest.raises(calibration.typer.Exit) as caught:
            calibration.run_calibration(None, 5, 1, as_json)
        assert caught.value.exit_code == 3
    printed = capsys.readouterr()
    assert "MISSED" in printed.out
    assert "must notice “tinted”" in printed.err
    assert "not tried: clip: no weights" in printed.err
    document = json.loads(printed.out[printed.out.index("{") :])
    assert [one["noticed_from"] for one in document["findings"]] == [None, 2.0]
