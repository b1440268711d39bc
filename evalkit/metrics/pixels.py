"""How much an edit changed what it should have kept, from pixel values alone: no weights, no torch.

Numbers called `_out` look only outside the edit region and divide by the number of pixels there; those called
`_registered` do so after the edit was laid exactly over its source; those called `_auto` look outside of
whatever has changed, for cases without a mask. Definitions and reasons for NULL: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.metrics.base import RGB, Bits, Metric, Need, Output, Subject, value_or
from evalkit.metrics.overlay.pairs import BENCH, Pair, Unusable, pair
from evalkit.metrics.overlay.preservation import Measures, Nearness, Tone, measures
from evalkit.metrics.overlay.similarity import PSNR_CAP
from evalkit.types import Case, Value

OVERREACH = 2.0
"""An edit that changes more than so many times the area it was expected to is flagged."""

_MASKED: frozenset[Need] = frozenset({"source", "mask"})
_SOURCE: frozenset[Need] = frozenset({"source"})


class Pixels(Metric):
    """PSNR, SSIM, CIEDE2000 and more where nothing should have changed; what changed, and how it lies."""

    name = "pixels"
    version = "2"
    summary = "Preservation: PSNR, SSIM, colour difference, changes"
    bench = BENCH
    outputs = (
        Output("ssim_out", "SSIM outside the mask", "higher", "", -1, 1, _MASKED, headline=True),
        Output("psnr_out", "PSNR outside the mask", "higher", "dB", 0, PSNR_CAP, _MASKED),
        Output("de00_out", "Colour difference outside the mask (mean)", "lower", "ΔE00", 0, None, _MASKED),
        Output("de00_p95_out", "Colour difference outside the mask (p95)", "lower", "ΔE00", 0, None, _MASKED),
        Output("de00_visible_out", "Visibly changed outside the mask", "lower", "", 0, 1, _MASKED),
        Output("mse_out", "MSE outside the mask", "lower", "", 0, 65025, _MASKED),
        Output("ssim_out_registered", "SSIM outside the mask, registered", "higher", "", -1, 1, _MASKED),
        Output(
            "psnr_out_registered", "PSNR outside the mask, registered", "higher", "dB", 0, PSNR_CAP, _MASKED
        ),
        Output(
            "de00_out_registered",
            "Colour difference outside the mask, registered",
            "lower",
            "ΔE00",
            0,
            None,
            _MASKED,
        ),
        Output("spill", "Changed well outside the mask", "lower", "", 0, 1, _MASKED),
        Output("changed_in", "Colour difference inside the mask (mean)", "neither", "ΔE00", 0, None, _MASKED),
        Output("psnr_out_pie", "PSNR as PIE-Bench counts it", "neither", "dB", 0, None, _MASKED),
        Output("ssim_auto", "SSIM outside what changed", "higher", "", -1, 1, _SOURCE),
        Output("psnr_auto", "PSNR outside what changed", "higher", "dB", 0, PSNR_CAP, _SOURCE),
        Output("de00_auto", "Colour difference outside what changed", "lower", "ΔE00", 0, None, _SOURCE),
        Output("changed_fraction", "Share of the picture that changed", "neither", "", 0, 1, _SOURCE),
        Output("noop", "Nothing was edited", "lower", "", 0, 1, _SOURCE),
        Output("tone_drift", "Colour cast on what was kept", "lower", "ΔE76", 0, None, _SOURCE),
        Output(
            "sharpness_ratio", "Sharpness of what was kept (1 = as before)", "neither", "", 0, None, _SOURCE
        ),
        Output("displacement", "Displacement, in per cent of the diagonal", "lower", "%", 0, None, _SOURCE),
        Output("overlap", "Share of the source that is still there", "higher", "", 0, 1, _SOURCE),
        Output("size_ratio", "Pixels delivered per source pixel", "neither", "", 0, None, _SOURCE),
        Output("l1", "Mean absolute difference, whole picture", "neither", "", 0, 1, _SOURCE),
        Output("l2", "Mean squared difference, whole picture", "neither", "", 0, 1, _SOURCE),
    )

    def against(self, case: Case) -> Mapping[str, Any]:
        """How much of the picture the case expects to change, where it says so."""
        expected = expected_area(case)
        return {} if expected is None else {"expected_area": expected}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject; a picture that cannot be compared gets reasons, never numbers."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        both = pair(subject)
        if isinstance(both, Unusable):
            size = Value(both.size_ratio, both.reason if both.size_ratio is None else None)
            return {**self.missing(both.reason), "size_ratio": size}
        return values(both, expected_area(subject.case))


def compare(source: RGB, image: RGB, inside: Bits | None = None) -> dict[str, Value]:
    """Every output for two pictures of one size (H x W x 3); `inside` (H x W) is where the edit may be."""
    return values(Pair(source, image, inside, 1.0))


def expected_area(case: Case) -> float | None:
    """`share` of the case's check of kind `expected_area`, 0 to 1."""
    for check in case.checks:
        share = check.get("share")
        if check.get("kind") == "expected_area" and isinstance(share, int | float):
            return float(share)
    return None


def values(both: Pair, expected: float | None = None) -> dict[str, Value]:
    """Every output for a pair."""
    found = measures(both)
    return {**_masked(both, found), **_always(both, found, expected)}


def _masked(both: Pair, found: Measures) -> dict[str, Value]:
    if found.outside is None or found.registered is None or both.inside is None:
        names = [output.name for output in Pixels.outputs if "mask" in output.needs]
        return {name: Value(None, "no_mask") for name in names}
    out, straight = found.outside, found.registered
    return {
        "ssim_out": _similarity(out),
        "psnr_out": value_or(out.psnr, "no_outside"),
        "de00_out": value_or(out.de00, "no_outside"),
        "de00_p95_out": value_or(out.p95, "no_outside"),
        "de00_visible_out": value_or(out.visible, "no_outside"),
        "mse_out": value_or(out.mse, "no_outside"),
        "ssim_out_registered": _similarity(straight),
        "psnr_out_registered": value_or(straight.psnr, "no_outside"),
        "de00_out_registered": value_or(straight.de00, "no_outside"),
        "spill": value_or(found.spill, "thin_outside"),
        "changed_in": value_or(found.changed_in, "no_inside"),
        "psnr_out_pie": value_or(_as_pie_bench(out.mse, both), "no_outside"),
    }


def _as_pie_bench(squared: float | None, both: Pair) -> float | None:
    """PSNR of both blanked inside the mask, over all pixels: 10 log10(1 / (1 - area)) dB above ours."""
    if not squared or both.inside is None:
        return PSNR_CAP if squared == 0 else None
    return 10 * float(np.log10(255**2 / (squared * float((~both.inside).mean()))))


def _always(both: Pair, found: Measures, expected: float | None) -> dict[str, Value]:
    nothing_kept = "all_changed"
    share = found.changed_fraction
    over = expected is not None and share > OVERREACH * expected
    how = "" if both.geometry == "same" else both.geometry
    return {
        "ssim_auto": value_or(found.auto.ssim, nothing_kept),
        "psnr_auto": value_or(found.auto.psnr, nothing_kept),
        "de00_auto": value_or(found.auto.de00, nothing_kept),
        "changed_fraction": Value(share, flag="overreach" if over else None),
        "noop": Value(float(found.noop)),
        "tone_drift": Value(found.tone.drift, detail=tone_in_words(found.tone))
        if found.tone
        else Value(None, nothing_kept),
        "sharpness_ratio": value_or(found.sharpness, "flat_source"),
        "displacement": Value(found.displacement, detail=_way(found)),
        "overlap": Value(found.overlap, detail=how),
        "size_ratio": Value(both.size_ratio, detail=how),
        "l1": Value(found.l1),
        "l2": Value(found.l2),
    }


def tone_in_words(tone: Tone) -> str:
    """The cast as a reader can use it: lighter or darker, and towards which colour."""
    light, green_red, blue_yellow = tone.lab
    gains = ", ".join(f"{gain:.3f}" for gain in tone.gain)
    return f"ΔL* {light:+.1f}, Δa* {green_red:+.1f}, Δb* {blue_yellow:+.1f}; gain per channel {gains}"


def _way(found: Measures) -> str:
    return f"{found.displacement_px:.2f} px" if found.displacement_px else ""


def _similarity(near: Nearness) -> Value:
    return value_or(near.ssim, "no_outside" if near.mse is None else "thin_outside")
