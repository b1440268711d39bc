"""What an edit left of its source, in numbers: one `Measures` per pair, from pixel values alone.

The numbers are taken over three regions: outside the mask as delivered, outside the mask after registration,
and outside of whatever has changed (for edits without a mask). Definitions and sources: docs/metrics.md.
`evalkit.metrics.pixels` reports them, `evalkit.metrics.faults` draws conclusions from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits
from evalkit.metrics.overlay.changes import VISIBLE
from evalkit.metrics.overlay.colour import delta_e, srgb_to_lab
from evalkit.metrics.overlay.geometry import grey
from evalkit.metrics.overlay.pairs import Pair, dilate, erode
from evalkit.metrics.overlay.similarity import WINDOW, mean_ssim, mse, psnr, ssim_map

MARGIN_PX = 15
"""Changes within so many pixels (at 1024 px) of the mask's edge are the edit's own; beyond, it spilled."""

NOOP_FRACTION = 0.002
NOOP_PSNR = 35.0
"""An edit that changed less than the one, and left the rest at more than the other, did nothing."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near source and edit are over a region; None where it is empty, too thin (SSIM) or not asked (p95).

    `de00` is the mean CIEDE2000, `p95` its 95th percentile, `visible` the share of pixels above 2.3.
    """

    mse: float | None
    ssim: float | None
    de00: float | None
    p95: float | None
    visible: float | None

    @property
    def psnr(self) -> float | None:
        """In dB, at most 100."""
        return psnr(self.mse)


@dataclass(frozen=True, slots=True)
class Tone:
    """The mean difference edit minus source in L*, a*, b* (D65), and the gain and offset per RGB channel.

    Gain and offset are what most pixels agree on; `cast` is the mean CIEDE2000 that they make up for.
    """

    lab: tuple[float, float, float]
    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    cast: float

    @property
    def drift(self) -> float:
        """The length of the mean difference, CIE 1976 units."""
        return float(np.linalg.norm(self.lab))


@dataclass(frozen=True, slots=True)
class Measures:
    """Everything that is measured of one pair. `outside` and `registered` are None without a mask.

    `spill` is the share of what lies well outside the mask that has changed, `spill_de00` by how much.
    """

    outside: Nearness | None
    registered: Nearness | None
    auto: Nearness
    changed_in: float | None
    changed_fraction: float
    spill: float | None
    spill_de00: float | None
    noop: bool
    tone: Tone | None
    sharpness: float | None
    l1: float
    l2: float
    displacement_px: float
    displacement: float
    overlap: float


def measures(both: Pair) -> Measures:
    """The numbers of a pair, worked out once."""
    return both.once("measures", lambda: _measured(both))


def kept_region(both: Pair) -> Bits:
    """Where nothing should have changed: outside the mask, or where nothing has."""
    return ~both.inside if both.inside is not None else _unchanged(both)


def _measured(both: Pair) -> Measures:
    registration = both.registration
    raw = _Compared(both.source, both.image)
    straight = _Compared(both.source, registration.image, rows=2) if registration.moved else raw
    within = erode(registration.valid, 3) if registration.moved else registration.valid
    masked = both.inside is not None
    kept, quiet = kept_region(both), _unchanged(both) & within
    auto = straight.over(quiet)
    spill, strength = _spill(both)
    diagonal = float(np.hypot(*both.source.shape[:2]))
    l1, l2 = _whole(both.source, both.image)
    return Measures(
        outside=raw.over(kept, tail=True) if masked else None,
        registered=straight.over(kept & within) if masked else None,
        auto=auto,
        changed_in=_mean(raw.colour[both.inside]) if both.inside is not None else None,
        changed_fraction=both.changes.fraction,
        spill=spill,
        spill_de00=strength,
        noop=both.changes.fraction < NOOP_FRACTION and (auto.psnr or 0.0) > NOOP_PSNR,
        tone=_tone(both.source, registration.image, kept & within),
        sharpness=_sharpness(both.source, both.image, kept),
        l1=l1,
        l2=l2,
        displacement_px=registration.displacement,
        displacement=100 * registration.displacement / diagonal,
        overlap=both.overlap * (float(registration.valid.mean()) if registration.moved else 1.0),
    )


class _Compared:
    """A picture beside its source, with their difference maps; colour of every `rows`-th row only."""

    def __init__(self, source: RGB, image: RGB, rows: int = 1) -> None:
        self.source, self.image, self._rows = source, image, rows
        self.colour = delta_e(np.ascontiguousarray(source[::rows]), np.ascontiguousarray(image[::rows]))
        self._similarity = ssim_map(source, image) if min(source.shape[:2]) > 2 * WINDOW else None

    def over(self, region: Bits, *, tail: bool = False) -> Nearness:
        """The numbers of a region; the 95th percentile only if `tail` is asked for."""
        differences = self.colour[region[:: self._rows]]
        if not differences.size:
            return Nearness(None, None, None, None, None)
        return Nearness(
            mse(self.source, self.image, region),
            mean_ssim(self._similarity, region),
            _mean(differences),
            float(np.percentile(differences, 95)) if tail else None,
            float((differences > VISIBLE).mean()),
        )


def _unchanged(both: Pair) -> Bits:
    return both.once("unchanged", lambda: _around(both))


def _around(both: Pair) -> Bits:
    return ~dilate(both.changes.where, round(3 * both.scale)) if both.changes.pieces else both.valid


def _spill(both: Pair) -> tuple[float | None, float | None]:
    """Share of what lies well outside the mask that has changed, 0 to 1, and by how much (CIEDE2000)."""
    if both.inside is None:
        return None, None
    away = ~dilate(both.inside, round(MARGIN_PX * both.scale)) & both.valid
    share = float(both.changes.where[away].mean()) if away.any() else None
    return share, both.changes.strength(away)


def _mean(values: NDArray[np.float32]) -> float | None:
    return float(values.mean(dtype=np.float64)) if values.size else None


def _whole(source: RGB, image: RGB) -> tuple[float, float]:
    """Mean absolute and mean squared difference of the whole pictures, values from 0 to 1."""
    import cv2

    difference = cv2.absdiff(source, image)
    count = difference.size * 255.0
    return float(cv2.norm(difference, cv2.NORM_L1)) / count, float(cv2.norm(difference, cv2.NORM_L2SQR)) / (
        count * 255.0
    )


def _tone(source: RGB, image: RGB, kept: Bits) -> Tone | None:
    """From every eighth pixel in each direction (fourth of small pictures); None for fewer than 64."""
    step = 8 if min(kept.shape) >= 512 else 4
    some = kept[::step, ::step]
    if some.sum() < 64:
        return None
    before, after = source[::step, ::step][some], image[::step, ::step][some]
    shift = (srgb_to_lab(after) - srgb_to_lab(before)).mean(axis=0)
    gains, offsets = zip(*(_line(before[:, c], after[:, c]) for c in range(3)), strict=True)
    line = Tone((float(shift[0]), float(shift[1]), float(shift[2])), gains, offsets, 0.0)
    return replace(line, cast=float(delta_e(before, toned_like(before, line)).mean()))


def toned_like(image: RGB, tone: Tone) -> RGB:
    """A picture with the gain and offset of a tone put on it."""
    values = image.astype(np.float32) * np.array(tone.gain, np.float32) + np.array(tone.offset, np.float32)
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _line(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[float, float]:
    """Gain and offset that most pixels agree on: least squares, thrice without those that are far off.

    Values at the ends of the scale say nothing, they may have been cut off there.
    """
    x, y = before.astype(np.float64), after.astype(np.float64)
    used = (before > 2) & (before < 253) & (after > 2) & (after < 253)
    gain, offset = 1.0, float(np.median(y[used] - x[used])) if used.any() else 0.0
    for _ in range(3):
        rest = np.abs(y - gain * x - offset)
        close = used & (rest <= max(4.0, 2.5 * float(np.median(rest[used])))) if used.any() else used
        if close.sum() < 32 or x[close].var() < 4:
            return gain, offset
        gain = float(np.cov(x[close], y[close], bias=True)[0, 1] / x[close].var())
        offset = float(y[close].mean() - gain * x[close].mean())
    return gain, offset


def _sharpness(source: RGB, image: RGB, kept: Bits) -> float | None:
    """Variance of the Laplacian of the edit's brightness over the source's; None for a flat source."""
    import cv2

    within = erode(kept, 1)
    if within.sum() < 64:
        return None
    first, second = (float(cv2.Laplacian(grey(p), cv2.CV_32F)[within].var()) for p in (source, image))
    return second / first if first > 0.05 else None
