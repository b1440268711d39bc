"""The pictures of an imported edit as files in `inputs/`: their bytes as they are, each picture once.

Knows how a record's source, mask and target become names in a case; which records there are is for `choose`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from evalkit.errors import InvalidInput
from evalkit.ids import sha256
from evalkit.images import ImageProblem, read_header, to_pil
from evalkit.suite.importers.base import RGB, Bytes, MaskUnfit, Record
from evalkit.suite.importers.choose import Tally
from evalkit.suite.maskpng import mask_png
from evalkit.suite.sources import MAX_BYTES
from evalkit.types import ASPECT_RATIOS, Case, Json, Mask

INPUTS = "inputs"
EXTENSIONS = {"jpeg": "jpg"}


class Pictures:
    """Writes into one suite's folder. A picture that several records have is written once."""

    def __init__(self, folder: Path, tally: Tally) -> None:
        self._folder = folder
        self._tally = tally
        self._names: dict[str, str] = {}

    def complete(self, record: Record) -> Case:
        """The case with the names of its pictures. Raises `InvalidInput` if its source cannot be used."""
        if record.source is None:
            return record.case
        data, pixels = _read(record.source)
        mask = self._mask(record, pixels)
        checks = self._target(record)
        case = replace(
            record.case,
            source=self._write(data, record.case.id, "source"),
            aspect_ratio=nearest_ratio(pixels.shape[1], pixels.shape[0]),
            checks=(*record.case.checks, *checks),
        )
        if mask is None:
            return replace(case, keep=()) if record.mask else case
        return replace(case, mask=Mask(file=self._write(mask, record.case.id, "mask")))

    def _mask(self, record: Record, pixels: RGB) -> bytes | None:
        if record.mask is None:
            return None
        try:
            bits = record.mask(pixels)
        except (MaskUnfit, InvalidInput) as problem:
            self._tally.note(record.origin, f"{problem.message}: left out")
            return None
        if not bits.any() or bits.all():
            self._tally.note(
                record.origin, f"the mask covers {'everything' if bits.any() else 'nothing'}: left out"
            )
            return None
        return mask_png(bits)

    def _target(self, record: Record) -> tuple[dict[str, Json], ...]:
        if record.target is None:
            return ()
        try:
            data, _ = _read(record.target)
        except InvalidInput as problem:
            self._tally.note(record.origin, f"{problem.message}: no target picture")
            return ()
        name = self._write(data, record.case.id, "target")
        return ({"kind": "target_image", "file": name, "sha256": sha256(data)},)

    def _write(self, data: bytes, name: str, what: str) -> str:
        code = sha256(data)
        if code not in self._names:
            form = read_header(data).format
            file = f"{INPUTS}/{name}-{what}.{EXTENSIONS.get(form, form)}"
            (self._folder / file).write_bytes(data)
            self._names[code] = file
        return self._names[code]


def nearest_ratio(width: int, height: int) -> str:
    """The aspect ratio of evalkit that is nearest to a picture's.

    >>> nearest_ratio(1600, 1000), nearest_ratio(512, 512)
    ('3:2', '1:1')
    """

    def distance(ratio: str) -> float:
        across, down = map(int, ratio.split(":"))
        return abs(math.log(width * down / (height * across)))

    return min(ASPECT_RATIOS, key=distance)


def _read(picture: Bytes) -> tuple[bytes, RGB]:
    data = picture()
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"a picture is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return data, np.asarray(to_pil(data))
    except ImageProblem as problem:
        raise InvalidInput(f"a picture cannot be used: {problem.reason.replace('_', ' ')}") from problem
