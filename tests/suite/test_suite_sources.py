"""Where sources come from, and what is refused as one."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalkit.ids import sha256
from evalkit.suite import PHOTOGRAPHS, SourceProblem, load_suite, resolve_source
from evalkit.suite.sources import open_source
from evalkit.types import Case


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 x 60,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", sorted(PHOTOGRAPHS))
def test_every_photograph_of_the_list_is_there_and_states_its_rights(name: str) -> None:
    source = open_source(Path(), f"skimage:{name}")
    assert source.sha256 == sha256(source.data)
    assert (source.width, source.height) == Image.open(io.BytesIO(source.data)).size
    assert PHOTOGRAPHS[name].licence


def test_photographs_are_found_without_importing_their_package() -> None:
    code = (
        "import sys; from pathlib import Path; from evalkit.suite.sources import open_source;"
        "open_source(Path(), 'skimage:coffee');"
        "print([m for m in ('skimage', 'pooch', 'torch', 'cv2', 'evalkit.studio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_is_given_as_it_is(folder: Any) -> None:
    folder.edit()
    suite = load_suite(folder.path)
    source = resolve_source(suite, suite.cases[0])
    assert source is not None
    assert source.data == (folder.path / "inputs" / "square.png").read_bytes()
    assert (source.width, source.height) == (40, 20)


def test_a_file_that_changes_is_read_again(folder: Any, make_png: Callable[..., bytes]) -> None:
    first = open_source(folder.path, "inputs/square.png")
    (folder.path / "inputs" / "square.png").write_bytes(make_png(50, 30))
    assert open_source(folder.path, "inputs/square.png").width == 50 != first.width


def test_a_turned_photograph_counts_as_it_is_seen(folder: Any) -> None:
    picture, exif = Image.new("RGB", (40, 20)), Image.Exif()
    exif[0x0112] = 6
    picture.save(folder.path / "inputs" / "turned.jpg", exif=exif)
    source = open_source(folder.path, "inputs/turned.jpg")
    assert (source.width, source.height) == (20, 40)


def test_no_source_is_none(folder: Any) -> None:
    suite = load_suite(folder.path)
    assert resolve_source(suite, suite.cases[0]) is None


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("skimage:motorcycle_left", "is not among the photographs that are free to use"),
        ("skimage:cofee", 'did you mean "coffee"?'),
        ("inputs/none.png", "is missing"),
        ("inputs", "is missing"),
        ("../bent/inputs/square.png", None),
        ("../outside.png", "lies outside the suite's folder"),
        ("link.png", "lies outside the suite's folder"),
        ("/etc/hostname", "must be relative"),
        ("long" * 1000, "cannot be the name of a file"),
        ("loop.png", "loop"),
        ("C:\\pictures\\a.png", "must be relative"),
        ("inputs\\square.png", "must be relative"),
        ("inputs/empty.png", "the file is empty"),
        ("inputs/words.png", "not a picture"),
        ("inputs/torn.png", "broken"),
        ("inputs/bomb.png", "is huge"),
    ],
)
def test_what_is_no_source(
    folder: Any, make_png: Callable[..., bytes], source: str, part: str | None
) -> None:
    inputs = folder.path / "inputs"
    (folder.path.parent / "outside.png").write_bytes(make_png(40, 20))
    (folder.path / "link.png").symlink_to(folder.path.parent / "outside.png")
    (folder.path / "loop.png").symlink_to("loop.png")
    (inputs / "empty.png").write_bytes(b"")
    (inputs / "words.png").write_bytes(b"these are words")
    noise = Image.effect_noise((200, 200), 80)
    noise.save(inputs / "whole.png")
    (inputs / "torn.png").write_bytes((inputs / "whole.png").read_bytes()[:9000])
    (inputs / "bomb.png").write_bytes(bomb())
    folder.edit(source=source)
    if part is None:
        assert folder.problems() == []
    else:
        problem = folder.problem()
        assert '"source"' in problem
        assert part in problem


def test_a_studio_scene_is_drawn_once(
    monkeypatch: pytest.MonkeyPatch, make_png: Callable[..., bytes]
) -> None:
    asked: list[str] = []

    def draw(prompt: str) -> bytes:
        asked.append(prompt)
        return make_png(32, 32)

    monkeypatch.setattr("evalkit.studio.studio_source", draw, raising=False)
    for _ in range(2):
        assert open_source(Path(), "studio: a scene that only this test draws ").width == 32
    assert asked == ["a scene that only this test draws"]


def test_a_source_that_vanished_says_so(folder: Any) -> None:
    folder.edit()
    suite = load_suite(folder.path)
    with pytest.raises(SourceProblem, match="is missing"):
        resolve_source(suite, replace(suite.cases[0], source="inputs/gone.png"))
    assert resolve_source(suite, Case("a", "b")) is None
