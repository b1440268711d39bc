"""What is taken of a format, under which ids, and that nothing is dropped in silence."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreignfiles import imported, jsonl, order, parquet, picture, write

from evalkit.errors import UnknownName, UsageError
from evalkit.suite.importers import import_suite
from evalkit.suite.importers.pictures import nearest_ratio


def geneval(folder: Path, *prompts: str, tag: str = "colors") -> Path:
    rows = [{"tag": tag, "include": [], "prompt": prompt} for prompt in prompts]
    return write(folder, {"evaluation_metadata.jsonl": jsonl(*rows)})


def longtext(folder: Path, *rows: dict[str, Any]) -> Path:
    base = {"category": "sign", "prompt": "a sign", "text": ["OPEN"], "prompt_id": 0}
    return write(folder, {"text_prompts.jsonl": jsonl(*({**base, **row} for row in rows))})


def test_duplicate_ids_are_numbered_and_reported(tmp_path: Path) -> None:
    files = longtext(tmp_path / "in", {}, {"prompt": "another"}, {"prompt": "a third"})
    made = imported("longtext-bench", files, tmp_path / "out")
    assert list(made.cases) == ["en-000", "en-000-2", "en-000-3"]
    assert made.told.notes == {"same id as an earlier record: numbered": 2}


def test_a_numbered_id_never_takes_that_of_another(tmp_path: Path) -> None:
    ids = ["a", "a-2", "a", "a"]
    files = longtext(tmp_path / "in", *({"prompt_id": name} for name in ids))
    made = imported("longtext-bench", files, tmp_path / "out")
    assert list(made.cases) == ["en-00a", "en-a-2", "en-00a-2", "en-00a-3"]


def test_ids_that_are_too_long_or_foreign_are_made_fit(tmp_path: Path) -> None:
    files = longtext(
        tmp_path / "in", {"prompt_id": "x" * 300}, {"prompt_id": "x" * 299 + "y"}, {"prompt_id": "Ünï cödé/7"}
    )
    made = imported("longtext-bench", files, tmp_path / "out")
    assert all(len(name) <= 80 for name in made.cases)
    assert len(made.cases) == 3
    assert made.told.notes == {"id too long: cut": 2}
    rows = list(csv.DictReader((made.path / "records.csv").read_text("utf-8").splitlines()))
    assert rows[0]["original_id"] == "en/" + "x" * 300
    assert rows[2]["original_id"] == "en/Ünï cödé/7"


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("", "the prompt is empty"),
        ("  \n", "the prompt is empty"),
        ("a\0b", "a text holds characters that are not text"),
        ("half \ud83d", "a text holds characters that are not text"),
    ],
)
def test_what_cannot_be_a_prompt_is_skipped_with_its_reason(prompt: str, reason: str, tmp_path: Path) -> None:
    rows = [{"tag": "colors", "include": [], "prompt": text} for text in (prompt, "a red mug")]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    made = imported("geneval", write(tmp_path / "in", {"e.jsonl": text}), tmp_path / "out")
    assert list(made.cases) == ["colors-00001"]
    assert made.told.skipped == {reason: 1}
    assert made.told.examples[reason] == ("00000",)


def test_strange_text_survives_the_round_trip(tmp_path: Path) -> None:
    prompts = ['"quoted" \\ back', "line\u2028end", "tab\there", "emoji 🫖 and ñ", "\x7f del", "line\nbreak"]
    made = imported("geneval", geneval(tmp_path / "in", *prompts), tmp_path / "out")
    assert [case.prompt for case in made.suite.cases] == prompts


def test_a_lot_depends_on_the_seed_only_and_more_includes_fewer(tmp_path: Path) -> None:
    files = geneval(tmp_path / "in", *(f"a photo of {n} mugs" for n in range(60)))

    def ids(name: str, **choice: Any) -> list[str]:
        return list(imported("geneval", files, tmp_path / name, **choice).cases)

    ten, again, twenty = ids("a", limit=10), ids("b", limit=10), ids("c", limit=20)
    assert ten == again
    assert set(ten) < set(twenty)
    assert ten == sorted(ten)
    assert set(ids("d", limit=10, seed=1)) != set(ten)
    assert len(ids("e", limit=600)) == 60


def test_the_limit_counts_cases_that_are_valid(tmp_path: Path) -> None:
    files = longtext(tmp_path / "in", *({"prompt_id": n, "text": ["A"] if n % 2 else []} for n in range(20)))
    made = imported("longtext-bench", files, tmp_path / "out", limit=6)
    assert (made.told.cases, sum(made.told.skipped.values())) == (6, 10)
    assert made.told.left_out == {"beyond the limit of 6": 4}
    whole = imported("longtext-bench", files, tmp_path / "whole", category="other")
    assert (whole.told.cases, whole.told.skipped) == (20, {})


@pytest.mark.parametrize(
    "only", ["category:writing-and-symbols", "Writing & Symbols", "challenge: Writing & Symbols"]
)
def test_only_takes_a_tag_however_it_is_written(only: str, tmp_path: Path) -> None:
    tsv = "Prompt\tCategory\tChallenge\tNote\na sign\tArts\tWriting & Symbols\t\na mug\tArts\tBasic\t\n"
    files = write(tmp_path / "in", {"p.tsv": tsv})
    if only.startswith("category"):
        with pytest.raises(UnknownName, match="unknown tag"):
            imported("partiprompts", files, tmp_path / "out", only=(only,))
        return
    assert list(imported("partiprompts", files, tmp_path / "out", only=(only,)).cases) == ["parti-0001"]


def test_several_tags_add_up(tmp_path: Path) -> None:
    files = longtext(
        tmp_path / "in", *({"prompt_id": n, "category": c} for n, c in enumerate(("sign", "slide", "poster")))
    )
    made = imported("longtext-bench", files, tmp_path / "out", only=("sign", "category:slide"))
    assert list(made.cases) == ["en-000", "en-001"]
    assert made.told.left_out == {"not tagged sign or category:slide": 1}


def test_a_record_has_the_same_id_however_much_is_asked_for(tmp_path: Path) -> None:
    files = longtext(tmp_path / "in", {"category": "slide"}, {"category": "sign"})
    assert list(imported("longtext-bench", files, tmp_path / "out", only=("sign",)).cases) == ["en-000-2"]


def test_categories_that_a_format_has_not(tmp_path: Path) -> None:
    files = geneval(tmp_path / "in", "a mug")
    with pytest.raises(UsageError, match="nothing in GenEval is for portrait") as caught:
        import_suite(order("geneval", files, tmp_path / "out", category="portrait"))
    assert caught.value.hint == "There is: other."
    with pytest.raises(UnknownName):
        import_suite(order("geneval", files, tmp_path / "out", category="portraits"))


def test_the_same_files_and_choice_make_the_same_suite(tmp_path: Path) -> None:
    files = geneval(tmp_path / "in", *(f"mug {n}" for n in range(9)))
    one = imported("geneval", files, tmp_path / "a" / "suite", limit=5)
    two = imported("geneval", files, tmp_path / "b" / "suite", limit=5)
    other = imported("geneval", files, tmp_path / "c" / "suite", limit=6)
    assert one.suite.digest == two.suite.digest
    assert one.suite.version == two.suite.version != other.suite.version


def test_the_manifest_says_what_was_read_and_nothing_of_the_machine(tmp_path: Path) -> None:
    files = geneval(tmp_path / "in", "a mug")
    made = imported("geneval", files, tmp_path / "out", limit=1)
    (file,) = made.manifest["files"]
    assert file["file"] == "evaluation_metadata.jsonl"
    assert file["bytes"] == (files / "evaluation_metadata.jsonl").stat().st_size
    assert made.manifest["licence"] == "MIT"
    assert made.manifest["counts"] == {"read": 1, "cases": 1, "skipped": {}, "left_out": {}, "notes": {}}
    texts = [path.read_text("utf-8") for path in made.path.iterdir() if path.is_file()]
    assert not [text for text in texts if str(tmp_path) in text]


def test_the_readme_says_what_it_is_and_how_much(tmp_path: Path) -> None:
    made = imported("geneval", geneval(tmp_path / "in", "a mug", ""), tmp_path / "out")
    text = (made.path / "README.md").read_text("utf-8")
    for said in ("1 cases of GenEval", "github.com/djghosh13/geneval", "MIT", "1: the prompt is empty"):
        assert said in text
    assert "{" not in text.replace("{m", "")


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((512, 512), "1:1"),
        ((1600, 1000), "3:2"),
        ((1000, 1600), "2:3"),
        ((1920, 1080), "16:9"),
        ((640, 480), "4:3"),
    ],
)
def test_edits_get_the_ratio_nearest_to_their_source(size: tuple[int, int], ratio: str) -> None:
    assert nearest_ratio(*size) == ratio


def test_nothing_is_read_twice_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are asked for window by window, and only those of cases that are wanted."""
    from evalkit.suite.importers import parquet as tables

    asked: list[tuple[int, int | None]] = []
    real = tables._Parquet.select

    def select(self: Any, names: Any, start: int, count: int | None) -> Any:
        asked.append((start, count))
        return real(self, names, start, count)

    monkeypatch.setattr(tables, "WINDOW", 4)
    monkeypatch.setattr(tables._Parquet, "select", select)
    rows = list(_emu_rows(10))
    file = parquet(tmp_path / "validation.parquet", ("image",), rows)
    made = imported("emu-edit", file, tmp_path / "out")
    assert asked == [(0, None), (0, 4), (4, 4), (8, 4)]
    pictures = [(made.path / str(case.source)).read_bytes() for case in made.suite.cases]
    assert pictures == [row["image"] for row in rows]


def _emu_rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "instruction": f"edit {number}",
            "image": picture((number, 2, 3)),
            "task": "add",
            "split": "validation",
            "idx": number,
            "hash": f"h{number}",
            "input_caption": "a",
            "output_caption": "b",
        }
