"""What a provider did wrong: one class per picture, with its evidence.

The faults are those that come back with status 200: the mask was ignored, nothing was edited, everything was
drawn again, the picture is tinted, resized, cropped, re-encoded, blank. A picture may show several; the one
that explains the others comes first in `FAULTS`. A picture that another case has got as well is found when a
run is looked at as a whole (`evalkit.leaderboard.faults`), because a metric sees one picture at a time.

Thresholds were set on edits of photographs with known faults (benchmarks/preservation.py) and are stated in
docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.metrics.asked import asked_aspect, asked_format, asked_size
from evalkit.metrics.base import RGB, Bits, Metric, Need, Output, Subject
from evalkit.metrics.delivery import is_blank
from evalkit.metrics.overlay.changes import find_changes
from evalkit.metrics.overlay.geometry import grey, resize_mask
from evalkit.metrics.overlay.pairs import BENCH, Pair, Unusable, dilate, erode, pair
from evalkit.metrics.overlay.preservation import Measures, Tone, kept_region, measures, toned_like
from evalkit.metrics.overlay.registration import stretch
from evalkit.metrics.overlay.similarity import WINDOW, ssim_map
from evalkit.types import Case, Value

FAULTS: Mapping[str, str] = {
    "blank": "Blank picture",
    "noop": "Nothing was edited",
    "cropped": "Part of the picture is missing",
    "padded": "Bars were added",
    "tone_cast": "Colours or brightness shifted everywhere",
    "softened": "Blurred everywhere",
    "repainted": "The whole picture was drawn again",
    "mask_ignored": "Changed outside the mask",
    "displaced": "Everything is displaced",
    "resized": "Another size than the source",
    "wrong_size": "Another size or shape than asked for",
    "wrong_format": "Another file format than asked for",
    "reencoded": "Compressed until it shows",
}
"""Classes and their labels, in the order in which they are tried."""

MISSING = 0.03
"""Cropped: at least so much of the source is gone, and what is left was enlarged or cut out."""

ENLARGED = 1.02
CAST = 2.0
"""Tone cast: a gain and offset per channel make up for so much CIEDE2000 and for most of the difference."""

SOFT = 0.3
"""Softened: the variance of the Laplacian is below this share of the source's."""

SPILL = 0.03
SPILL_DE00 = 7.0
"""Mask ignored: so much of what lies well outside the mask has changed, and by so much CIEDE2000 (median)."""

REPAINTED = 0.45
UNTOUCHED = 0.9
"""Repainted: so much of what has structure has lost it, and what looks unchanged has less SSIM than this."""

LOST_SSIM = 0.8
DISPLACED = 0.1
"""Displaced: the corners are off by so many per cent of the diagonal."""

SIZE = 0.02
ASPECT = 0.03
LOSSY = 85
"""Re-encoded: the outside has lost more than a JPEG of this quality takes from the source."""

_THIRD = 3
_STRUCTURE = 4.0
_FREE = ("restyle", "light")
_SOURCE: frozenset[Need] = frozenset({"source"})
_OF_ANY = ("blank", "wrong_size", "wrong_format")


@dataclass(frozen=True, slots=True)
class Fault:
    """A class of `FAULTS` and what gives it away, in words."""

    kind: str
    evidence: str


class Faults(Metric):
    """1 if the provider did something wrong, 0 if not; and the same for each class."""

    name = "faults"
    version = "1"
    summary = "Provider faults: mask ignored, no-op, repainted, cropped, ..."
    bench = BENCH
    reads_asked = True
    outputs = (
        Output("fault", "Any fault of the provider", "lower", "", 0, 1, headline=True),
        *(
            Output(f"fault_{kind}", label, "neither", "", 0, 1, frozenset() if kind in _OF_ANY else _SOURCE)
            for kind, label in FAULTS.items()
        ),
    )

    def against(self, case: Case) -> Mapping[str, Any]:
        """Whether the instruction asks for a change of everything."""
        return {"edit_type": case.edit_type} if case.edit_type in _FREE else {}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject; a picture that cannot be read has a reason instead."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        if subject.image is None:
            return self.missing(subject.image_problem or "decode_error")
        if subject.source_sha is None:
            return _values(fault_of(subject), frozenset(_OF_ANY))
        both = pair(subject)
        if isinstance(both, Unusable) and both.reason != "unaligned":
            return self.missing(both.reason)
        return _values(fault_of(subject), frozenset(FAULTS))


def fault_of(subject: Subject) -> Fault | None:
    """The first class that applies to a picture that could be read; None if nothing is wrong."""
    found = dict(_found(subject))
    first = next((kind for kind in FAULTS if kind in found), None)
    return Fault(first, found[first]) if first else None


def _values(fault: Fault | None, judged: frozenset[str]) -> dict[str, Value]:
    detail = f"{fault.kind}: {fault.evidence}" if fault else ""
    each = {
        f"fault_{kind}": _one(fault, kind) if kind in judged else Value(None, "no_source") for kind in FAULTS
    }
    return {"fault": Value(float(fault is not None), detail=detail), **each}


def _one(fault: Fault | None, kind: str) -> Value:
    here = fault is not None and fault.kind == kind
    return Value(float(here), detail=fault.evidence if fault and here else "")


def _found(subject: Subject) -> Iterator[tuple[str, str]]:
    """Every class that applies, with evidence; what later classes would need is not computed in vain."""
    image = subject.image
    if image is None:
        return
    both = pair(subject) if subject.source_sha else Unusable("no_source")
    if is_blank(image) and not (isinstance(both, Pair) and is_blank(both.source)):
        yield "blank", "all of the picture is one colour"
        return
    yield from _wrong_delivery(subject, image)
    if isinstance(both, Pair):
        yield from _wrong_edit(both, subject.case)
    elif both.reason == "unaligned":
        yield "repainted", "it has another shape than the source and shows something else"


# What was asked for ---------------------------------------------------------------------------------------


def _wrong_delivery(subject: Subject, image: RGB) -> Iterator[tuple[str, str]]:
    height, width = image.shape[:2]
    size, aspect = asked_size(subject.asked), asked_aspect(subject.asked)
    if size is not None and size != (width, height):
        yield "wrong_size", f"{width} x {height} px instead of {size[0]} x {size[1]}"
    elif aspect is not None and abs(width * aspect[1] / (height * aspect[0]) - 1) > ASPECT:
        yield "wrong_size", f"{width} x {height} px is not {aspect[0]}:{aspect[1]}"
    wanted = asked_format(subject.asked)
    if wanted is not None and subject.header is not None and subject.header.format != wanted:
        yield "wrong_format", f"{subject.header.format.upper()} instead of {wanted.upper()}"


# What became of the source --------------------------------------------------------------------------------


def _wrong_edit(both: Pair, case: Case) -> Iterator[tuple[str, str]]:
    found = measures(both)
    if found.noop:
        yield "noop", f"{found.changed_fraction:.2%} of the picture differs from the source"
        return
    yield from _wrong_frame(both, found)
    everything = case.edit_type in _FREE and both.inside is None
    if not everything:
        yield from _wrong_everywhere(both, found)
    if _spilled(found):
        yield "mask_ignored", f"{found.spill:.1%} of the protected part changed"


def _wrong_frame(both: Pair, found: Measures) -> Iterator[tuple[str, str]]:
    registration = both.registration
    enlarged = registration.moved and stretch(registration.matrix)[1] > ENLARGED
    if found.overlap < 1 - MISSING and (enlarged or both.geometry in ("cropped", "moved")):
        yield "cropped", f"{1 - found.overlap:.1%} of the source is missing"
    if both.geometry in ("padded", "moved"):
        yield "padded", "what was delivered is larger than what it shows of the source"
    if registration.moved and found.displacement > DISPLACED:
        yield "displaced", f"corners are off by {found.displacement_px:.1f} px ({found.displacement:.2f} %)"
    if both.geometry == "stretched":
        yield "resized", "it was squeezed into another shape"
    elif both.geometry == "resized" and abs(both.size_ratio - 1) > SIZE:
        yield "resized", f"{both.size_ratio:.2f} times as many pixels as the source"


def _wrong_everywhere(both: Pair, found: Measures) -> Iterator[tuple[str, str]]:
    near = found.registered or found.auto
    if near.de00 is None or near.psnr is None or near.psnr > 45:
        return
    if found.tone is not None and _is_cast(both, found.tone):
        yield "tone_cast", _in_words(found.tone)
        return
    lost = lost_structure(both)
    if found.sharpness is not None and found.sharpness < SOFT:
        yield "softened", f"sharpness is {found.sharpness:.0%} of the source's"
    elif lost > REPAINTED and (found.auto.ssim is None or found.auto.ssim < UNTOUCHED):
        yield "repainted", f"{lost:.0%} of what should have been kept has lost its structure"
    elif not _spilled(found) and _is_lossy(both):
        yield "reencoded", f"PSNR {near.psnr:.1f} dB, less than a JPEG of quality {LOSSY} leaves"


def _spilled(found: Measures) -> bool:
    return (found.spill or 0.0) > SPILL and (found.spill_de00 or 0.0) > SPILL_DE00


def _is_cast(both: Pair, tone: Tone) -> bool:
    """A gain and offset per channel explain most of what differs."""
    if tone.cast < CAST:
        return False
    toned = toned_like(both.source, tone)
    kept = kept_region(both) & both.valid
    rest = find_changes(toned, both.registered, kept)
    return rest.fraction < 0.1 and _mean_error(toned, both, kept) < 0.6 * _mean_error(both.source, both, kept)


def _mean_error(reference: RGB, both: Pair, kept: Bits) -> float:
    import cv2

    return float(np.abs(cv2.absdiff(reference, both.registered))[kept].mean()) if kept.any() else 0.0


def _in_words(tone: Tone) -> str:
    light, green_red, blue_yellow = tone.lab
    return f"ΔE00 {tone.cast:.1f} everywhere: ΔL* {light:+.1f}, Δa* {green_red:+.1f}, Δb* {blue_yellow:+.1f}"


def lost_structure(both: Pair) -> float:
    """Share of what has structure, outside the mask, whose SSIM with the source is below 0.8; 0 to 1.

    At a third of the size, where compression, noise and slight blur do not show but other contents do. A
    pixel has structure if the brightness around it (11 px) varies by 4 levels in either picture.
    """
    import cv2

    grid = both.source.shape[0] // _THIRD, both.source.shape[1] // _THIRD
    if min(grid) <= 4 * WINDOW:
        return 0.0
    source, image = (
        np.asarray(cv2.resize(p, grid[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
        for p in (both.source, both.registered)
    )
    kept = erode(resize_mask(both.valid & _outside(both), grid), WINDOW)
    structured = kept & (np.maximum(_deviation(source), _deviation(image)) > _STRUCTURE)
    judged = structured[WINDOW:-WINDOW, WINDOW:-WINDOW]
    values = ssim_map(source, image)[judged]
    return float((values < LOST_SSIM).mean()) if values.size else 0.0


def _deviation(image: RGB) -> Any:
    import cv2

    values, side = grey(image).astype(np.float32), (2 * WINDOW + 1, 2 * WINDOW + 1)
    mean = cv2.blur(values, side)
    return np.sqrt(np.maximum(cv2.blur(values * values, side) - mean * mean, 0))


def _outside(both: Pair) -> Bits:
    if both.inside is None or both.inside.all():
        return np.ones(both.source.shape[:2], np.bool_)
    return ~dilate(both.inside, round(8 * both.scale))


def _is_lossy(both: Pair) -> bool:
    """Brightness differs outside by more than what JPEG itself would do to the source."""
    import cv2

    kept = kept_region(both) & erode(both.valid, 3)
    if not kept.any():
        return False
    source = grey(both.source)
    done, coded = cv2.imencode(
        ".jpg", cv2.cvtColor(both.source, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, LOSSY]
    )
    if not done:
        return False
    ours = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    mask = np.ascontiguousarray(kept).view(np.uint8)
    allowed = cv2.norm(source, ours, cv2.NORM_L2SQR, mask)
    return float(cv2.norm(source, grey(both.registered), cv2.NORM_L2SQR, mask)) > max(1.0, float(allowed))
