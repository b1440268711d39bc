"""Any board as a pandas data frame: one row per line, one column per field, intervals spread out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from evalkit.types import Estimate

if TYPE_CHECKING:
    import pandas as pd


def to_records(lines: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as flat dictionaries. An `Estimate` x becomes x, x_low, x_high, x_n, ..., x_note."""
    return [_flat(line) for line in lines]


def to_frame(lines: Sequence[Any]) -> pd.DataFrame:
    """`to_records` as a data frame. For a preference board, give its `ratings`."""
    import pandas as pd

    return pd.DataFrame(to_records(lines))


def _flat(line: Any) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for field in fields(line):
        value = getattr(line, field.name)
        if isinstance(value, Estimate):
            record[field.name] = value.value
            parts = {f.name: getattr(value, f.name) for f in fields(value) if f.name != "value"}
            record |= {f"{field.name}_{name}": part for name, part in parts.items()}
        elif not is_dataclass(value):
            record[field.name] = value
    return record
