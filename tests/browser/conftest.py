"""A rater app on loopback and a browser that may not leave it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "study"))

from make_run import cases, make_run, noise

from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SERVE = """
import sys
from pathlib import Path
from raters_app.run import serve
serve(Path(sys.argv[1]), "s", int(sys.argv[2]), open_browser=False)
"""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Its driver keeps an event loop running, so it must not outlive its module."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield opened
        opened.close()


def smooth(case: str, system: str) -> Image.Image:
    """A picture of photograph size that compresses like one: noise, enlarged."""
    return noise(case, system, (64, 64)).resize((512, 512), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two systems, seven prompts and thirteen edits: twenty comparisons."""
    root = tmp_path_factory.mktemp("prepared") / "ws"
    workspace = Workspace.open(root)
    make_run(workspace, cases(7, edits=13), paint=smooth)
    create_study(workspace, "s", "r1", StudyOptions(title="Fruit"))
    return root


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path) -> Workspace:
    return Workspace.open(shutil.copytree(prepared, tmp_path / "ws"))


@pytest.fixture
def serve(workspace: Workspace) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts a rater app and returns its process and URL; what is still running is stopped at the end."""
    running: list[subprocess.Popen[str]] = []

    def start(port: int = 0) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(workspace.root), str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, line + process.stdout.read()
        return process, line.split()[-1]

    yield start
    for process in running:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
