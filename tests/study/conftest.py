from __future__ import annotations

from pathlib import Path

import pytest
from make_run import cases, make_run

from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.fixture
def study(workspace: Workspace) -> str:
    """Two systems, eight t2i cases and four edits."""
    make_run(workspace, cases(8, edits=4))
    create_study(workspace, "s1", "r1", StudyOptions(title="Fruit"))
    return "s1"
