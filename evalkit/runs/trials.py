"""The trials of a plan, held small: 44 bytes each, so that a million of them is nothing to fear.

Knows how they are written (`trials.csv`) and how an id is found among them; what a trial asks is in the plan.
"""

from __future__ import annotations

import csv
import hashlib
import io
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np

Row = tuple[str, int, int, int]
"""(trial id, index of case, index of system, replicate)."""

HEADER = "trial,case,system,replicate"
_ID = 32


class Trials(Sequence[Row]):
    """An immutable sequence of rows. Ids are 64 lower-case hexadecimal digits."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._ids = bytearray()
        self._numbers = array("I")
        add_id, add_numbers = self._ids.extend, self._numbers.extend
        for trial, *numbers in rows:
            add_id(bytes.fromhex(trial))
            add_numbers(numbers)
        if len(self._ids) * 3 != len(self._numbers) * _ID:
            raise ValueError("a trial id is not 64 hexadecimal digits")

    def __len__(self) -> int:
        return len(self._ids) // _ID

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        case, system, replicate = self._numbers[3 * index : 3 * index + 3]
        return self._ids[_ID * index : _ID * (index + 1)].hex(), case, system, replicate

    @property
    def systems(self) -> array[int]:
        """The index of each trial's system."""
        return self._numbers[1::3]

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trials):
            return NotImplemented
        return self._ids == other._ids and self._numbers == other._numbers

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<{len(self)} trials {self.digest[:12]}>"

    @cached_property
    def digest(self) -> str:
        """sha256 of the rows, in order."""
        content = hashlib.sha256(self._ids)
        content.update(self._numbers)
        return content.hexdigest()

    def twice(self) -> tuple[int, int] | None:
        """Two positions that hold the same id, if there are any."""
        order, keys = self._index
        for i in (keys[1:] == keys[:-1]).nonzero()[0]:
            one, other = int(order[i]), int(order[i + 1])
            if self[one][0] == self[other][0]:
                return min(one, other), max(one, other)
        return None

    def find(self, ids: Sequence[str]) -> list[int]:
        """The position of each id, -1 where it is not among these trials."""
        import numpy as np

        order, keys = self._index
        if not len(order) or not ids:
            return [-1] * len(ids)
        asked = np.frombuffer(bytes.fromhex("".join(ids)), ">u8").reshape(-1, _ID // 8)
        wanted = asked[:, 0]
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = np.where(keys[places] == wanted, order[places], -1)
        own = self._as_array[np.maximum(found, 0)]
        same = (own == asked).all(axis=1)
        return [int(place) for place in np.where(same, found, -1)]

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the order of the ids' first eight bytes, and those bytes as numbers."""
        import numpy as np

        keys = self._as_array[:, 0].astype(np.uint64)
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return order, keys[order]

    @property
    def _as_array(self) -> np.ndarray:
        """The ids as big-endian numbers, four to an id; a view."""
        import numpy as np

        return np.frombuffer(memoryview(self._ids).toreadonly(), ">u8").reshape(-1, _ID // 8)

    def to_csv(self) -> Iterator[bytes]:
        """The content of trials.csv, in pieces."""
        yield f"{HEADER}\n".encode()
        for start in range(0, len(self), 4096):
            rows = self[start : start + 4096]
            yield "".join(f"{t},{c},{s},{r}\n" for t, c, s, r in rows).encode()

    @classmethod
    def from_csv(cls, text: Iterable[str]) -> Trials:
        """The inverse of `to_csv`, from its lines. Raises `ValueError` if they are something else."""
        lines = iter(text)
        if next(lines, "").strip() != HEADER:
            raise ValueError(f"the first line is not {HEADER}")
        return cls((t, int(c), int(s), int(r)) for t, c, s, r in (line.split(",") for line in lines))


def rows_as_csv(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows of an older plan as the content of trials.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    writer.writerows(rows)
    return text.getvalue().encode()
