from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from pathlib import Path

import pytest

from evalkit.errors import StorageError
from evalkit.remote import hooks
from evalkit.remote.hooks import Hints, add_hint, hook_url, is_job_id


def wait(hints: Hints, job_id: str, seconds: float = 0.0) -> bool:
    return asyncio.run(hints.wait(job_id, seconds))


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "LOOK_SECONDS", 0.01)


def test_a_record_says_who_which_and_when_only(tmp_path: Path) -> None:
    add_hint(tmp_path / "hooks", "fal", "job-1")
    record = json.loads((tmp_path / "hooks" / "fal.jsonl").read_text())
    assert record.pop("t").endswith("Z")
    assert record == {"type": "hook", "provider": "fal", "id": "job-1"}


def test_a_hint_ends_the_wait_at_once(tmp_path: Path) -> None:
    async def main() -> float:
        hints = Hints(tmp_path, "fal")
        started = time.monotonic()
        waiting = asyncio.create_task(hints.wait("job-1", 30.0))
        await asyncio.sleep(0.03)
        add_hint(tmp_path, "fal", "job-0")
        add_hint(tmp_path, "fal", "job-1")
        assert await waiting
        return time.monotonic() - started

    assert asyncio.run(main()) < 5


def test_without_a_hint_the_wait_takes_its_time(tmp_path: Path) -> None:
    hints = Hints(tmp_path, "fal")
    started = time.monotonic()
    assert not wait(hints, "job-1", 0.05)
    assert 0.05 <= time.monotonic() - started < 5


def test_an_early_hint_is_kept(tmp_path: Path) -> None:
    hints = Hints(tmp_path, "fal")
    add_hint(tmp_path, "fal", "job-1")
    assert not wait(hints, "job-0", 0.03)
    assert wait(hints, "job-1")


def test_a_hint_from_before_this_run_is_found(tmp_path: Path) -> None:
    add_hint(tmp_path, "fal", "job-1")
    assert wait(Hints(tmp_path, "fal"), "job-1")


def test_a_hint_counts_once_and_doubles_do_no_harm(tmp_path: Path) -> None:
    hints = Hints(tmp_path, "fal")
    for _ in range(3):
        add_hint(tmp_path, "fal", "job-1")
    assert wait(hints, "job-1")
    assert not wait(hints, "job-1", 0.03)
    add_hint(tmp_path, "fal", "job-1")
    assert wait(hints, "job-1", 1.0)


def test_hints_in_any_order_reach_their_jobs(tmp_path: Path) -> None:
    hints = Hints(tmp_path, "fal")
    for name in "cab":
        add_hint(tmp_path, "fal", name)

    async def main() -> list[bool]:
        return await asyncio.gather(*(hints.wait(name, 0.05) for name in "abcd"))

    assert asyncio.run(main()) == [True, True, True, False]


def test_other_providers_are_other_files(tmp_path: Path) -> None:
    add_hint(tmp_path, "each", "job-1")
    assert not wait(Hints(tmp_path, "fal"), "job-1", 0.02)


def test_half_a_line_is_waited_for(tmp_path: Path) -> None:
    hints = Hints(tmp_path, "fal")
    path = tmp_path / "fal.jsonl"
    path.write_text('{"id":"job')
    assert not wait(hints, "job-1", 0.02)
    with path.open("a") as file:
        file.write('-1"}\n')
    assert wait(hints, "job-1", 1.0)


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "fal.jsonl"
    path.write_text('{"id":"job-0')
    add_hint(tmp_path, "fal", "job-1")
    assert wait(Hints(tmp_path, "fal"), "job-1")


def test_nonsense_in_the_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "fal.jsonl"
    path.write_bytes(b'\xff\n[]\n{"id":5}\n{"id":"a b"}\n\n5\n')
    add_hint(tmp_path, "fal", "job-1")
    hints = Hints(tmp_path, "fal")
    assert wait(hints, "job-1")
    assert not wait(hints, "a b", 0.02)


def test_a_file_that_was_cleared_is_read_anew(tmp_path: Path) -> None:
    hints = Hints(tmp_path, "fal")
    add_hint(tmp_path, "fal", "job-1-with-a-long-name")
    assert wait(hints, "job-1-with-a-long-name")
    (tmp_path / "fal.jsonl").write_text('{"id":"job-2"}\n')
    assert wait(hints, "job-2", 1.0)


def test_many_waiters_look_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "LOOK_SECONDS", 0.1)
    looks = 0
    stat = Path.stat

    def counted(self: Path, **named: bool) -> object:
        nonlocal looks
        looks += self.name == "fal.jsonl"
        return stat(self, **named)

    monkeypatch.setattr(Path, "stat", counted)
    hints = Hints(tmp_path, "fal")

    async def main() -> None:
        await asyncio.gather(*(hints.wait(f"job-{k}", 0.35) for k in range(50)))

    asyncio.run(main())
    assert 2 <= looks <= 12


def _write(folder: Path, name: str) -> None:
    for k in range(200):
        add_hint(folder, "fal", f"{name}-{k}")


def test_several_processes_may_write(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    lines = [json.loads(line)["id"] for line in (tmp_path / "fal.jsonl").read_text().splitlines() if line]
    assert sorted(lines) == sorted(f"{name}-{k}" for name in "ab" for k in range(200))


def test_a_disk_that_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks.os, "write", lambda fd, data: len(data) - 1)
    with pytest.raises(StorageError, match="hint of fal"):
        add_hint(tmp_path, "fal", "job-1")


def test_addresses_and_ids() -> None:
    assert hook_url("https://x.example", "a/b") == "https://x.example/hooks/a%2Fb"
    assert all(is_job_id(good) for good in ("mai-image-2-5_0b1c:2=", "-_x", "a" * 200))
    assert not any(is_job_id(bad) for bad in ("", "a b", "a\n", "../x", "é", None, 5, "a" * 201))
