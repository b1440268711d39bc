from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "study"))

from make_run import cases, make_run

from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace.open(tmp_path / "ws")
    make_run(found, cases(3, edits=2))
    create_study(found, "s1", "r1", StudyOptions(title="Fruit"))
    return found
