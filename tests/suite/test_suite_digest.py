"""What a suite's digest depends on, and what it does not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalkit.suite import load_suite, suite_digest


def test_the_digest_is_of_the_content_only(folder: Any, tmp_path: Path) -> None:
    folder.edit()
    first = load_suite(folder.path)
    assert first.digest == suite_digest(first)
    moved = tmp_path / "elsewhere" / "bent"
    shutil.copytree(folder.path, moved)
    (moved / "README.md").write_text("another text")
    reordered = dict(reversed(json.loads((moved / "cases.jsonl").read_text()).items()))
    (moved / "cases.jsonl").write_text("\n" + json.dumps(reordered) + "\n\n")
    assert load_suite(moved).digest == first.digest


def test_whatever_is_asked_or_judged_changes_it(folder: Any, make_png: Callable[..., bytes]) -> None:
    digests = []

    def note() -> None:
        digests.append(load_suite(folder.path).digest)

    folder.edit()
    note()
    folder.edit(prompt="Make the square blue.")
    note()
    folder.edit(keep=["the black border"])
    note()
    folder.edit()
    folder.head((folder.path / "suite.toml").read_text().replace("1.0.0", "1.0.1"))
    note()
    (folder.path / "inputs" / "square.png").write_bytes(make_png(40, 20, "blue"))
    note()
    assert len(set(digests)) == 5


def test_ten_thousand_cases_load_in_about_a_second(folder: Any) -> None:
    folder.cases(*({"id": f"case-{n}", "prompt": f"prompt {n}", "tags": ["a", "b"]} for n in range(10_000)))
    start = time.process_time()
    suite = load_suite(folder.path)
    assert len(suite.cases) == 10_000
    assert time.process_time() - start < 2
