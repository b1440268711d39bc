"""A journal survives every cut, and says what it lost."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import Locked, StorageError
from evalkit.store import Dropped, Journal, read_records

RECORDS = [{"n": n, "text": "é“\n" * n, "deep": {"list": [n, None, True]}} for n in range(6)]


def write(path: Path, records: list[dict[str, object]]) -> bytes:
    with Journal(path) as journal:
        for record in records:
            journal.append(record)
    return path.read_bytes()


def test_records_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "j", RECORDS)
    assert list(read_records(tmp_path / "j")) == RECORDS


@given(cut=st.integers(0, 10_000))
def test_cut_at_any_byte_it_opens_reports_and_never_joins(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "j"
    whole = write(path, RECORDS)
    cut %= len(whole) + 1
    path.write_bytes(whole[:cut])
    kept = [json.loads(line) for line in whole[:cut].split(b"\n")[:-1]]
    tail = whole[:cut].rpartition(b"\n")[2]
    with Journal(path) as journal:
        repaired = journal.repaired
        journal.append({"after": "the crash"})
    dropped: list[Dropped] = []
    found = list(read_records(path, dropped))
    whole_tail = [json.loads(tail)] if tail.endswith(b"}") and _parses(tail) else []
    assert found == [*kept, *whole_tail, {"after": "the crash"}]
    if tail and not whole_tail:
        assert repaired is not None
        assert repaired.offset == cut - len(tail)
        assert repaired.length == len(tail)
        assert [d.offset for d in dropped] == [repaired.offset]
    else:
        assert repaired is None
        assert dropped == []


def _parses(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_every_single_cut(tmp_path: Path) -> None:
    whole = write(tmp_path / "j", RECORDS[:3])
    for cut in range(len(whole) + 1):
        path = tmp_path / f"j{cut}"
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            journal.append({"last": cut})
        assert list(read_records(path))[-1] == {"last": cut}


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(Locked, match="another process"):
        Journal(tmp_path / "j")


def test_a_full_disk_is_a_clear_error_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"n": 1})
    real = os.write

    def half(fd: int, data: bytes) -> int:
        return real(fd, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StorageError, match="No space") as caught:
        journal.append({"n": 2})
    assert "Free some space" in caught.value.hint
    monkeypatch.setattr(os, "write", real)
    journal.append({"n": 3})
    journal.close()
    assert list(read_records(path)) == [{"n": 1}, {"n": 3}]


def test_other_errors_of_the_system_are_not_called_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int, data: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with Journal(tmp_path / "j") as journal:
        monkeypatch.setattr(os, "write", broken)
        with pytest.raises(OSError, match="Input/output"):
            journal.append({"n": 1})
        monkeypatch.undo()


def _append_until_killed(path: str) -> None:
    journal = Journal(Path(path))
    for n in range(1_000_000):
        journal.append({"n": n, "pad": "x" * (n % 700)})


def test_kill_9_leaves_only_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "j"
    process = multiprocessing.get_context("spawn").Process(target=_append_until_killed, args=(str(path),))
    process.start()
    while not path.exists() or path.stat().st_size < 100_000:
        assert process.is_alive()
    process.kill()
    process.join()
    numbers = [record["n"] for record in read_records(path)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 100
