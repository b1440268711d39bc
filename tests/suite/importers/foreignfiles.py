"""Small files in the formats of others, written here; records that a publication quotes are used as facts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from PIL import Image

from evalkit.suite import load_suite
from evalkit.suite.importers import Choice, Imported, Order, find_importer, import_suite
from evalkit.types import Case, Suite


def picture(colour: Any = (200, 40, 40), size: tuple[int, int] = (48, 32), form: str = "PNG") -> bytes:
    """One plain picture with a darker left edge, so that it is not all the same."""
    values = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    values[:, :4] //= 2
    out = io.BytesIO()
    Image.fromarray(values).save(out, form)
    return out.getvalue()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return folder


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet(path: Path, pictures: tuple[str, ...], rows: list[dict[str, Any]]) -> Path:
    """A table as a hub keeps it: pictures are structs of bytes and path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(rows[0])
    columns = [
        f"{name} STRUCT(bytes BLOB, path VARCHAR)" if name in pictures else f"{name} {_type(rows[0][name])}"
        for name in names
    ]
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE t ({', '.join(columns)})")
        for row in rows:
            values = [
                {"bytes": row[name], "path": "x.png"}
                if name in pictures and row[name] is not None
                else row[name]
                for name in names
            ]
            db.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", values)
        db.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


def _type(value: Any) -> str:
    return "BIGINT" if isinstance(value, int) and not isinstance(value, bool) else "VARCHAR"


class Made:
    """An import that went through, and the suite that it became."""

    def __init__(self, told: Imported) -> None:
        self.told = told
        self.path = told.path
        self.suite: Suite = load_suite(told.path)
        self.cases: dict[str, Case] = {case.id: case for case in self.suite.cases}
        self.manifest: dict[str, Any] = json.loads((told.path / "manifest.json").read_text("utf-8"))
        assert told.read == told.cases + sum(told.skipped.values()) + sum(told.left_out.values())
        assert told.cases == len(self.suite.cases)

    def bits(self, case: str) -> Any:
        """The mask of a case, as booleans."""
        mask = self.cases[case].mask
        assert mask is not None
        assert mask.file is not None
        with Image.open(self.path / mask.file) as image:
            return np.asarray(image.convert("L")) > 127


def order(
    form: str, paths: Path | list[Path], folder: Path, images: Path | None = None, **choice: Any
) -> Order:
    """What to import, with the licence accepted whatever it is."""
    importer = find_importer(form)
    several = tuple(paths) if isinstance(paths, list) else (paths,)
    return Order(importer, several, folder, Choice(**choice), importer.licence.id, images)


def imported(form: str, paths: Path | list[Path], folder: Path, **rest: Any) -> Made:
    return Made(import_suite(order(form, paths, folder, **rest)))
