"""A small valid suite on disk that tests bend until it breaks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalkit.suite import check_suite

HEAD = """\
name = "bent"
version = "1.0.0"
category = "other"
licence = "CC0-1.0"
description = "A suite for tests."
"""

EDIT: dict[str, Any] = {
    "id": "square-green",
    "prompt": "Make the square green.",
    "task": "edit",
    "source": "inputs/square.png",
    "mask": {"shapes": [{"kind": "rect", "points": [0.25, 0.25, 0.75, 0.75]}]},
    "source_caption": "a red square",
    "target_caption": "a green square",
    "edit_type": "recolour",
    "keep": ["the white border"],
}


def png(width: int, height: int, colour: Any = "red", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), colour).save(file, "PNG")
    return file.getvalue()


class Folder:
    """A suite's folder; `problems()` are the messages of `check_suite`, without the file names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "inputs").mkdir(parents=True)
        (path / "inputs" / "square.png").write_bytes(png(40, 20))
        (path / "README.md").write_text("# bent\n", "utf-8")
        self.head(HEAD)
        self.cases({"id": "mug", "prompt": "a red mug"})

    def head(self, text: str) -> None:
        (self.path / "suite.toml").write_bytes(text.encode("utf-8"))

    def category(self, name: str) -> None:
        self.head(HEAD.replace('"other"', f'"{name}"'))

    def cases(self, *cases: dict[str, Any]) -> None:
        self.lines(*(json.dumps(case, ensure_ascii=False).encode("utf-8") for case in cases))

    def lines(self, *lines: bytes) -> None:
        (self.path / "cases.jsonl").write_bytes(b"\n".join(lines) + b"\n")

    def edit(self, *without: str, **changes: Any) -> None:
        """One edit case with `changes` and without some keys."""
        case = {**EDIT, **changes}
        self.cases({key: value for key, value in case.items() if key not in without})

    def problems(self) -> list[str]:
        return [f"{problem.line}: {problem.message}" for problem in check_suite(self.path)]

    def problem(self) -> str:
        (only,) = self.problems()
        return only


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "bent")


@pytest.fixture
def make_png() -> Callable[..., bytes]:
    return png
