"""Pictures that somebody already has: matched by name or by list, nothing dropped in silence."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.providers.folder import Folder
from evalkit.types import Case, Delivered, Failed, Job, Request, System

CASES = [Case("mug", "a mug"), Case("mug_2", "another mug"), Case("vase", "a vase"), Case("lamp", "a lamp")]
SUITES = {"product": CASES}


def folder(path: Path, **suites: list[Case]) -> tuple[Folder, Any]:
    provider = Folder(System("folder", str(path)))
    return provider, provider.match(suites or SUITES)


def touch(path: Path, *names: str) -> None:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(name.encode())


def count(provider: Folder, case: str, suite: str = "product") -> int:
    return len(provider._files.get((suite, case), []))


def test_names_numbers_and_folders(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "mug.png",
        "mug_2.jpg",
        "mug-3.webp",
        "vase/one.png",
        "vase/two.png",
        "stray.png",
        "notes.txt",
    )
    provider, coverage = folder(tmp_path)
    assert [count(provider, c) for c in ("mug", "mug_2", "vase", "lamp")] == [2, 1, 2, 0]
    assert coverage.matched == 3
    assert coverage.missing_cases == ("product/lamp",)
    assert coverage.unmatched_files == ("stray.png",)


def test_suites_have_folders_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "product/mug.png", "portrait/mug.png")
    provider, _ = folder(tmp_path, product=[Case("mug", "a mug")], portrait=[Case("mug", "a face")])
    assert count(provider, "mug", "product") == count(provider, "mug", "portrait") == 1
    product = asyncio.run(provider.generate(request("mug", suite="product"), NoLedger()))
    assert isinstance(product, Delivered)
    assert product.pictures[0].data == b"product/mug.png"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_list_of_files(tmp_path: Path, kind: str) -> None:
    touch(tmp_path, "x/1.png", "x/2.png", "x/3.png")
    rows = [("mug", "x/2.png"), ("mug", "x/1.png"), ("nothing", "x/3.png")]
    path = tmp_path / f"list.{kind}"
    if kind == "csv":
        path.write_text("case,file\n" + "".join(f"{c},{f}\n" for c, f in rows))
    else:
        path.write_text("".join(json.dumps({"case": c, "file": f}) + "\n" for c, f in rows))
    provider, coverage = folder(path)
    answers = [asyncio.run(provider.generate(request("mug", r), NoLedger())) for r in (0, 1)]
    assert [a.pictures[0].data for a in answers] == [b"x/2.png", b"x/1.png"]
    assert coverage.unmatched_files == ("x/3.png",)
    assert len(coverage.missing_cases) == 3


def test_every_bad_line_of_a_list_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text('{"case": "mug"}\n{broken\n\n{"case": "mug", "file": "gone.png"}\n')
    with pytest.raises(InvalidInput) as caught:
        folder(path)
    assert "list.jsonl:1: needs a `case` and a `file`" in caught.value.message
    assert "list.jsonl:2: is not JSON" in caught.value.message
    assert "list.jsonl:4: there is no file gone.png" in caught.value.message


def test_a_case_without_a_picture_fails_and_is_not_dropped(tmp_path: Path) -> None:
    touch(tmp_path, "mug.png")
    provider, _ = folder(tmp_path)
    assert provider.replicates("product", CASES[3], 1) == 1
    outcome = asyncio.run(provider.generate(request("lamp"), NoLedger()))
    assert outcome == Failed("missing_file", f"{tmp_path} has no picture for case 'lamp'")


def test_a_changed_file_is_another_trial(tmp_path: Path) -> None:
    touch(tmp_path, "mug.png")
    before = folder(tmp_path)[0].fingerprint("product", CASES[0], 0)
    (tmp_path / "mug.png").write_bytes(b"changed")
    assert folder(tmp_path)[0].fingerprint("product", CASES[0], 0) != before


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        Folder(System("folder", str(tmp_path / "nothing")))
    with pytest.raises(UnknownName):
        Folder(System("folder", str(tmp_path), {"size": "1"}))


class NoLedger:
    async def accepted(self, job: Job) -> None:
        raise AssertionError(job)


def request(case: str, replicate: int = 0, suite: str = "product") -> Request:
    return Request("t", suite, case, replicate, "t2i", "p", "1:1", "m", {})
