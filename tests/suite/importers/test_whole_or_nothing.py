"""A suite is there whole or not at all, and never without a licence that somebody has accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from foreignfiles import Made, imported, jsonl, order, parquet, picture, write

from evalkit.errors import UsageError
from evalkit.suite import check_suite
from evalkit.suite.importers import LicenceNotAccepted, import_suite, importers
from evalkit.suite.importers import write as writing


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path / "in", {"a.jsonl": jsonl({"tag": "a", "include": [], "prompt": "b"})})


def test_an_interruption_leaves_nothing(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(made: Path, folder: Path) -> None:
        assert (made / "suite.toml").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_suite(order("geneval", files, tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_nothing_is_seen_before_it_is_whole(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[Path, Path], None] = writing._publish

    def looked_at(made: Path, folder: Path) -> None:
        assert not folder.exists()
        assert check_suite(made) == []
        real(made, folder)

    monkeypatch.setattr(writing, "_publish", looked_at)
    imported("geneval", files, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_an_empty_folder_may_be_used_and_a_full_one_not(files: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    imported("geneval", files, tmp_path / "empty")
    with pytest.raises(UsageError, match="is not an empty folder"):
        import_suite(order("geneval", files, tmp_path / "empty"))
    with pytest.raises(UsageError, match="cannot be the name of a suite"):
        import_suite(order("geneval", files, tmp_path / "My Suite"))


def test_folders_above_are_made(files: Path, tmp_path: Path) -> None:
    imported("geneval", files, tmp_path / "deep" / "down" / "suite")


def test_the_suite_can_be_read_by_others(files: Path, tmp_path: Path) -> None:
    made = imported("geneval", files, tmp_path / "out")
    assert made.path.stat().st_mode & 0o777 == 0o755


# Licences ---------------------------------------------------------------------------------------------


CLOSED = sorted(name for name, kind in importers().items() if not kind.licence.open)


def test_these_are_not_open() -> None:
    assert CLOSED == ["drawbench", "emu-edit", "imgedit", "oneig-bench", "pie-bench"]


@pytest.mark.parametrize("accepted", [None, "MIT", ""])
@pytest.mark.parametrize("name", CLOSED)
def test_a_licence_must_be_accepted_by_name(name: str, accepted: str | None, tmp_path: Path) -> None:
    wish = replace(
        order(name, write(tmp_path / "in", {"x.csv": "a,b\n"}), tmp_path / "out"), accepted=accepted
    )
    licence = wish.importer.licence
    with pytest.raises(LicenceNotAccepted) as caught:
        import_suite(wish)
    assert licence.id in caught.value.message
    assert licence.terms in caught.value.message
    assert f"--accept-licence {licence.id}" in caught.value.hint
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_may_not_be_passed_on_says_so_everywhere(tmp_path: Path) -> None:
    files = write(tmp_path / "in", {"d.csv": "Prompts,Category\na mug,Colors\n"})
    made = imported("drawbench", files, tmp_path / "out")
    assert "redistributable = false\n" in (made.path / "suite.toml").read_text("utf-8")
    assert "must not be passed on" in (made.path / "README.md").read_text("utf-8")
    assert made.suite.redistributable is False
    assert made.manifest["redistributable"] is False
    assert made.manifest["accepted"] == "LicenseRef-DrawBench-unstated"


@pytest.mark.parametrize(("name", "open_"), [("dev-0.parquet", True), ("test-0.parquet", False)])
def test_the_test_split_of_magicbrush_has_terms_of_its_own(name: str, open_: bool, tmp_path: Path) -> None:
    row = {
        "img_id": "1",
        "turn_index": 1,
        "source_img": picture(),
        "mask_img": None,
        "instruction": "x",
        "target_img": picture((1, 2, 3)),
    }
    file = parquet(tmp_path / name, ("source_img", "mask_img", "target_img"), [row])
    wish = order("magicbrush", file, tmp_path / "out")
    if not open_:
        with pytest.raises(LicenceNotAccepted, match="LicenseRef-MagicBrush-test"):
            import_suite(wish)
        wish = replace(wish, accepted="LicenseRef-MagicBrush-test")
    assert Made(import_suite(wish)).suite.redistributable is open_


@pytest.mark.parametrize("name", sorted(importers()))
def test_every_format_says_what_it_is(name: str) -> None:
    kind = importers()[name]
    for text in (kind.title, kind.size, kind.needs, kind.origin, kind.about, kind.version):
        assert text.strip()
    assert kind.licence.open or kind.licence.terms


def test_a_missing_target_picture_is_a_problem_of_the_suite(tmp_path: Path) -> None:
    row = {
        "img_id": "1",
        "turn_index": 1,
        "source_img": picture(),
        "mask_img": None,
        "instruction": "x",
        "target_img": picture((1, 2, 3)),
    }
    file = parquet(tmp_path / "dev-0.parquet", ("source_img", "mask_img", "target_img"), [row])
    made = imported("magicbrush", file, tmp_path / "out")
    (made.path / "inputs" / "1-1-target.png").unlink()
    (only,) = check_suite(made.path)
    assert "target_image: 'inputs/1-1-target.png' is missing" in only.message
