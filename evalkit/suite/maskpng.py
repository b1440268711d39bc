"""A mask as a PNG file whose bytes never change.

A mask is sent, so its digest is part of the trial id, and a picture is paid for again when that drifts.
Compressors differ between builds and versions; this writer (greyscale, no filter, one deflate block of fixed
codes, runs only: RFC 1951 and RFC 2083) depends on nothing but the pixels.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_LITERALS = tuple(f"{0x30 + v:08b}" if v < 144 else f"{0x190 + v - 144:09b}" for v in range(256))
_BACK_ONE = "00000"
_REPEAT_258 = f"{0xC5:08b}" + _BACK_ONE
_REPEATS = {n: f"{n - 2:07b}" + _BACK_ONE for n in range(3, 11)}
_END = "0000000"
_LAST_FIXED_BLOCK = "110"


def mask_png(bits: NDArray[np.bool_]) -> bytes:
    """H x W booleans as an 8-bit greyscale PNG: 255 where True."""
    height, width = bits.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = np.where(bits, 255, 0)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", _zlib_stream(rows.tobytes())), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zlib_stream(data: bytes) -> bytes:
    """RFC 1950: a header that promises a 32 KiB window, the block, the checksum of the data."""
    bits = _LAST_FIXED_BLOCK + "".join(_run(value, length) for value, length in _runs(data)) + _END
    packed = np.packbits(np.frombuffer(bits.encode(), dtype=np.uint8) - ord("0"), bitorder="little")
    return b"\x78\x01" + packed.tobytes() + struct.pack(">I", zlib.adler32(data))


def _runs(data: bytes) -> list[tuple[int, int]]:
    values = np.frombuffer(data, dtype=np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1))
    lengths = np.diff(np.concatenate((starts, [values.size])))
    return list(zip(values[starts].tolist(), lengths.tolist(), strict=True))


def _run(value: int, length: int) -> str:
    """One literal, then 'repeat the byte before' in the lengths that need no extra bits."""
    literal = _LITERALS[value]
    whole, rest = divmod(length - 1, 258)
    tens, rest = divmod(rest, 10)
    tail = _REPEATS[rest] if rest >= 3 else literal * rest
    return literal + _REPEAT_258 * whole + _REPEATS[10] * tens + tail
