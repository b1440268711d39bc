"""From photographs in folders to votes in the database, by the commands and a keyboard."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageFilter
from test_rating import READY, Wire, opened, rate

import evalkit
from evalkit.suite import load_suite, new_suite, resolve_source

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "rocket"
)  # fmt: skip
SYSTEMS = ("secretive-alpha", "secretive-beta")


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "evalkit", *arguments, "--workspace", str(folder / "w")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten photographs x two edits x two systems: twenty comparisons."""
    suite = new_suite(tmp_path / "photographs", "product")
    shapes = {"middle": [0.3, 0.3, 0.7, 0.7], "corner": [0.0, 0.0, 0.4, 0.4]}
    cases = [
        {
            "id": f"{name}-{part}",
            "prompt": f"Make the {part} of the {name} picture softer",
            "task": "edit",
            "source": f"skimage:{name}",
            "mask": {"shapes": [{"kind": "rect", "points": points}]},
            "tags": ["easy"],
        }
        for name in PHOTOGRAPHS
        for part, points in shapes.items()
    ]
    (suite / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    loaded = load_suite(suite)
    for case in loaded.cases:
        source = resolve_source(loaded, case)
        assert source is not None
        picture = Image.open(io.BytesIO(source.data)).convert("RGB")
        for strength, system in enumerate(SYSTEMS, start=1):
            target = tmp_path / system / f"{case.id}.jpg"
            target.parent.mkdir(exist_ok=True)
            exif = Image.Exif()
            exif[0x0131] = f"Made by {system}"
            picture.filter(ImageFilter.GaussianBlur(2.0 * strength)).save(target, exif=exif, quality=90)
    systems = [part for name in SYSTEMS for part in ("-s", f"{name}=folder:{tmp_path / name}")]
    for line in (["run", str(suite), *systems], ["study", "new", "soft"]):
        subprocess.run(command(tmp_path, *line), check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    line = command(folder, "rate", "soft", "--port", "8765", "--no-browser")
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.terminate()


def test_twenty_votes_on_real_photographs_are_in_the_database(
    folder: Path, url: str, browser: object
) -> None:
    wire = Wire()
    page = opened(browser, url, wire)
    for n in range(10):
        rate(page, "1243"[n % 4])
    wire.drain()
    page.reload()
    for n in range(9):
        rate(page, "12"[n % 2])
    page.wait_for_selector(READY)
    rows = page.locator(".row")
    for n in range(rows.count() - 1):
        rows.nth(n).locator(".answer").first.click()
    rows.last.locator(".answer").first.dblclick()
    page.wait_for_selector(".finished")
    wire.drain()

    work = evalkit.open_workspace(folder / "w")
    ballots = work.sql("SELECT * FROM ballots")
    assert len(ballots) == ballots["ballot"].nunique() == ballots["comparison"].nunique() == 20
    votes = work.votes("soft")
    assert len(votes) == 20 * 3
    assert set(votes["criterion"]) == {"alignment", "appeal", "preservation"}
    assert not votes["simulated"].any()
    everything = b"\n".join(wire.received)
    assert not [name for name in (*SYSTEMS, "Made by", "folder:") if name.encode() in everything]
    assert wire.problems == []
    board = work.leaderboard(study="soft", criterion="alignment")
    assert set(board["system"]) == set(SYSTEMS)
