from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import EvalkitError
from evalkit.progress import Progress
from evalkit.weights.download import fetch, partial

DATA = bytes(range(256)) * 20_000


class Counting(Progress):
    def __init__(self) -> None:
        self.total = self.done = 0
        self.stages: list[str] = []

    def start(self, stage: str, total: int) -> None:
        self.stages.append(stage)
        self.total = total

    def advance(self, stage: str, steps: int = 1) -> None:
        assert stage in self.stages
        self.done += steps

    def finish(self, stage: str) -> None:
        self.stages.remove(stage)


def test_a_file_appears_whole(server, tmp_path: Path):
    server.files["/m.bin"] = DATA
    progress = Counting()
    fetch(server.base + "/m.bin", tmp_path / "new" / "m.bin", progress=progress)
    assert (tmp_path / "new" / "m.bin").read_bytes() == DATA
    assert not partial(tmp_path / "new" / "m.bin").exists()
    assert progress.total == progress.done == len(DATA)
    assert not progress.stages


def test_a_cut_download_continues_where_it_stopped(server, tmp_path: Path):
    server.files["/m.bin"], target = DATA, tmp_path / "m.bin"
    server.cut_after = 3_000_000
    with pytest.raises(EvalkitError) as caught:
        fetch(server.base + "/m.bin", target)
    assert "continues" in caught.value.hint
    assert not target.exists()
    have = partial(target).stat().st_size
    assert 0 < have <= 3_000_000
    server.cut_after = None
    progress = Counting()
    fetch(server.base + "/m.bin", target, progress=progress)
    assert target.read_bytes() == DATA
    assert server.asked[-1] == ("GET", "/m.bin", f"bytes={have}-")
    assert progress.total == progress.done == len(DATA)


def test_a_server_without_ranges_starts_over(server, tmp_path: Path):
    server.files["/m.bin"], target = DATA, tmp_path / "m.bin"
    partial(target).write_bytes(b"x" * (len(DATA) + 5))
    server.ignore_range = True
    fetch(server.base + "/m.bin", target)
    assert target.read_bytes() == DATA


def test_a_part_that_is_already_complete_is_accepted(server, tmp_path: Path):
    server.files["/m.bin"], target = DATA, tmp_path / "m.bin"
    partial(target).write_bytes(DATA)
    fetch(server.base + "/m.bin", target)
    assert target.read_bytes() == DATA


def test_a_part_of_another_file_is_thrown_away(server, tmp_path: Path):
    server.files["/m.bin"], target = DATA, tmp_path / "m.bin"
    partial(target).write_bytes(DATA + b"more")
    with pytest.raises(EvalkitError, match="does not fit"):
        fetch(server.base + "/m.bin", target)
    fetch(server.base + "/m.bin", target)
    assert target.read_bytes() == DATA


def test_a_refusal_and_a_dead_server(server, tmp_path: Path):
    with pytest.raises(EvalkitError, match="404"):
        fetch(server.base + "/none.bin", tmp_path / "m.bin")
    with pytest.raises(EvalkitError, match="stopped"):
        fetch("http://127.0.0.1:9/m.bin", tmp_path / "m.bin")
    assert not (tmp_path / "m.bin").exists()
