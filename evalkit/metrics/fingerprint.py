"""A picture as 256 bits that survive re-encoding and resizing, to find the same picture again.

The difference hash: is the picture brighter or darker one step to the right? Two pictures are compared by
counting the bits that differ. What is done about pictures that are alike is left to others.
"""

from __future__ import annotations

import re

import numpy as np

from evalkit.metrics.base import RGB

BITS = 256

NEAR = 16
"""Pictures that differ in no more bits than this are most likely copies, re-encoded or resized. Photographs
as JPEG of quality 50, WebP of quality 60 or at half the size differ in at most 14 bits, different photographs
in 60 and more. Brightness is all it sees: two drawings that differ in one colour only are the same to it, and
an edit is near its source."""

_SIDE = 16
_STEP = 1
_TEXT = re.compile(r"\bdhash ([0-9a-f]{64})\b")
_TONES = re.compile(r"\btones ([0-9a-f]{96})\b")
_FIELDS = 4


def dhash(image: RGB) -> int:
    """The 256-bit difference hash of a picture, H x W x 3 uint8; the first bit is top left.

    The brightness is averaged over 16 rows of 17 fields. A bit is 1 if a field is brighter than its left
    neighbour by more than one level: without that level, noise would fill plain backgrounds with bits. After
    N. Krawetz, "Kind of Like That" (2013), where the fields are 8 x 9 and any difference counts.
    """
    import cv2

    fields = cv2.resize(image, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    light = cv2.cvtColor(fields, cv2.COLOR_RGB2GRAY).astype(np.int16)
    bits = np.packbits(light[:, 1:] - light[:, :-1] > _STEP)
    return int.from_bytes(bits.tobytes(), "big")


def hamming(a: int, b: int) -> int:
    """How many of the bits differ, 0 to 256."""
    return (a ^ b).bit_count()


def as_text(bits: int) -> str:
    """`dhash` and 64 hexadecimal digits, as it stands in the detail of a score."""
    return f"dhash {bits:064x}"


def from_text(detail: str) -> int | None:
    """The hash in the detail of a score; None if there is none."""
    found = _TEXT.search(detail)
    return int(found[1], 16) if found else None


def tones(image: RGB) -> bytes:
    """The mean colours of 4 x 4 fields of a picture, 48 bytes: what the hash does not see."""
    import cv2

    fields = cv2.resize(image, (_FIELDS, _FIELDS), interpolation=cv2.INTER_AREA)
    return np.asarray(fields, dtype=np.uint8).tobytes()


def tones_as_text(fields: bytes) -> str:
    """`tones` and 96 hexadecimal digits."""
    return f"tones {fields.hex()}"


def tones_from_text(detail: str) -> bytes | None:
    """The mean colours in the detail of a score; None if there are none."""
    found = _TONES.search(detail)
    return bytes.fromhex(found[1]) if found else None
