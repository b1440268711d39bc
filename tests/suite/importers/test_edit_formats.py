"""Formats with pictures: sources, masks, captions, targets and types of edits."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreignfiles import imported, parquet, picture, write
from PIL import Image

from evalkit.ids import sha256
from evalkit.suite import resolve_mask, resolve_source


def png(values: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


# ImgEdit ----------------------------------------------------------------------------------------------

BASIC = {
    "1082": {"id": "animal/1.jpg", "prompt": "Smooth the tortoise's shell.", "edit_type": "adjust"},
    "1068": {"id": "animal/1.jpg", "prompt": "Remove the tortoise.", "edit_type": "remove"},
    "673": {"id": "style/2.jpg", "prompt": "As a ukiyo-e print.", "edit_type": "style"},
    "9": {"id": "gone/3.jpg", "prompt": "Add a hat.", "edit_type": "add"},
}


def test_imgedit_finds_its_pictures(tmp_path: Path) -> None:
    jpeg = picture(form="JPEG", size=(48, 36))
    files = write(
        tmp_path / "in",
        {
            "basic_edit.json": json.dumps(BASIC),
            "prompts.json": json.dumps({"adjust": "You are a data rater"}),
            "singleturn/animal/1.jpg": jpeg,
            "singleturn/style/2.jpg": picture((10, 90, 10)),
        },
    )
    made = imported("imgedit", files, tmp_path / "imgedit")
    smooth = made.cases["basic-1082"]
    assert (smooth.task, smooth.edit_type, smooth.aspect_ratio) == ("edit", None, "4:3")
    assert smooth.tags == ("edit:adjust",)
    assert made.cases["basic-1068"].edit_type == "remove"
    assert made.cases["basic-673"].edit_type == "restyle"
    assert smooth.source == made.cases["basic-1068"].source == "inputs/basic-1082-source.jpg"
    assert smooth.cluster == made.cases["basic-1068"].cluster
    assert (made.path / str(smooth.source)).read_bytes() == jpeg
    assert list(made.told.skipped.values()) == [1]
    read = {file["file"]: file for file in made.manifest["files"]}
    assert set(read) == {"basic_edit.json", "singleturn/animal/1.jpg", "singleturn/style/2.jpg"}
    assert read["singleturn/animal/1.jpg"]["sha256"] == sha256(jpeg)


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    edits = write(
        tmp_path / "in", {"UGE_edit.json": json.dumps({"1": {"id": "a.jpg", "prompt": "Remove it."}})}
    )
    images = write(tmp_path / "pictures", {"a.jpg": picture(form="JPEG")})
    made = imported("imgedit", edits / "UGE_edit.json", tmp_path / "uge", images=images)
    assert set(made.cases) == {"uge-1"}


def test_of_several_turns_the_first_is_asked(tmp_path: Path) -> None:
    turns = {
        "1": {"id": "a.png", "turn1": "All edits are green.", "turn2": "Add a hat", "turn3": "Add a tie"}
    }
    files = write(tmp_path / "in", {"memory.json": json.dumps(turns), "a.png": picture()})
    made = imported("imgedit", files, tmp_path / "turns")
    case = made.cases["memory-1"]
    assert case.prompt == "All edits are green."
    assert case.checks == (
        {"kind": "turn", "number": 2, "prompt": "Add a hat"},
        {"kind": "turn", "number": 3, "prompt": "Add a tie"},
    )
    assert made.told.notes == {"only the first of several turns is asked": 1}


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hosts", ""])
def test_a_record_cannot_name_a_picture_outside(name: str, tmp_path: Path) -> None:
    edits = {"1": {"id": name or "..", "prompt": "x"}, "2": {"id": "a.png", "prompt": "y"}}
    files = write(
        tmp_path / "in",
        {"data/edit.json": json.dumps(edits), "data/a.png": picture(), "secret.png": picture((0, 0, 0))},
    )
    made = imported("imgedit", files / "data", tmp_path / "out")
    assert [case.prompt for case in made.suite.cases] == ["y"]


# GEdit ------------------------------------------------------------------------------------------------


def gedit(lang: str, **changes: Any) -> dict[str, Any]:
    row = {
        "task_type": "subject-remove",
        "key": "ab12",
        "instruction": "Remove the car" if lang == "en" else "移除汽车",
        "instruction_language": lang,
        "input_image": picture((1, 2, 3)),
        "input_image_raw": picture((90, 80, 70), (60, 40)),
    }
    return {**row, **changes}


def test_gedit_bench(tmp_path: Path) -> None:
    rows = [gedit("en"), gedit("cn"), gedit("en", key="zz", task_type="tone_transfer")]
    file = parquet(tmp_path / "data" / "train-00000.parquet", ("input_image", "input_image_raw"), rows)
    made = imported("gedit-bench", file, tmp_path / "gedit")
    english, chinese = made.cases["subject-remove-ab12-en"], made.cases["subject-remove-ab12-zh"]
    assert (english.edit_type, english.cluster) == ("remove", chinese.cluster)
    assert "lang:zh" in chinese.tags
    assert (made.path / str(english.source)).read_bytes() == rows[0]["input_image_raw"]
    assert english.source == chinese.source
    assert made.cases["tone_transfer-zz-en"].edit_type is None


def test_arrow_files_hold_the_same(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    row = gedit("en")
    columns = {
        name: [{"bytes": value, "path": "x"} if isinstance(value, bytes) else value]
        for name, value in row.items()
    }
    table = pyarrow.table(columns)
    with (
        pyarrow.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        pyarrow.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table)
    made = imported("gedit-bench", tmp_path / "a.arrow", tmp_path / "gedit")
    assert set(made.cases) == {"subject-remove-ab12-en"}


# MagicBrush -------------------------------------------------------------------------------------------

SOURCE = np.full((24, 36, 3), (120, 60, 30), dtype=np.uint8)
SOURCE[:6, :6] = 255
REGION = np.zeros((24, 36), dtype=bool)
REGION[8:20, 10:30] = True


def masks() -> dict[str, bytes]:
    """One region, marked in the three ways there are."""
    painted = SOURCE.copy()
    painted[REGION] = 255
    clear = np.dstack([SOURCE, np.where(REGION, 0, 255).astype(np.uint8)])
    return {"black and white": png(REGION * 255), "painted": png(painted), "transparent": png(clear)}


def brush(turn: int, mask: bytes | None, source: bytes = png(SOURCE), **changes: Any) -> dict[str, Any]:
    row = {
        "img_id": "242679",
        "turn_index": turn,
        "source_img": source,
        "mask_img": mask,
        "instruction": "Have there be a fire.",
        "target_img": picture((9, 9, 200), (36, 24)),
    }
    return {**row, **changes}


@pytest.mark.parametrize("way", ["black and white", "painted", "transparent"])
def test_magicbrush_masks_are_read_however_they_are_marked(way: str, tmp_path: Path) -> None:
    file = parquet(
        tmp_path / "dev-0.parquet", ("source_img", "mask_img", "target_img"), [brush(1, masks()[way])]
    )
    made = imported("magicbrush", file, tmp_path / "brush")
    assert (made.bits("242679-1") == REGION).all()
    case = made.cases["242679-1"]
    source = resolve_source(made.suite, case)
    assert resolve_mask(made.suite, case, source) is not None


def test_magicbrush_turns_share_a_cluster_and_pictures(tmp_path: Path) -> None:
    first = brush(1, masks()["painted"])
    second = brush(2, png(REGION * 255), source=first["target_img"])
    file = parquet(tmp_path / "dev-0.parquet", ("source_img", "mask_img", "target_img"), [first, second])
    made = imported("magicbrush", file, tmp_path / "brush")
    one, two = made.cases["242679-1"], made.cases["242679-2"]
    assert one.cluster == two.cluster == "242679"
    (check,) = one.checks
    assert check == {
        "kind": "target_image",
        "file": "inputs/242679-1-target.png",
        "sha256": sha256(first["target_img"]),
    }
    assert two.source == check["file"]
    assert (made.path / "inputs" / "242679-1-target.png").read_bytes() == first["target_img"]
    assert made.suite.redistributable is True


@pytest.mark.parametrize(
    ("mask", "note"),
    [
        (png(np.zeros((24, 36))), "the mask covers nothing"),
        (png(np.full((24, 36), 255)), "the mask covers everything"),
        (png(np.zeros((12, 18))), "the mask is not of the source's size"),
        (b"no picture", "the mask cannot be read"),
        (None, "the table has no picture under 'mask_img'"),
    ],
)
def test_a_mask_that_cannot_be_is_left_out_and_counted(mask: bytes | None, note: str, tmp_path: Path) -> None:
    file = parquet(tmp_path / "dev-0.parquet", ("source_img", "mask_img", "target_img"), [brush(1, mask)])
    made = imported("magicbrush", file, tmp_path / "brush")
    assert made.cases["242679-1"].mask is None
    (text,) = made.told.notes
    assert text.startswith(note)


@pytest.mark.parametrize("broken", [b"", b"nothing", picture()[:60]])
def test_a_source_that_cannot_be_read_is_a_skipped_record(broken: bytes, tmp_path: Path) -> None:
    rows = [brush(1, None, source=broken), brush(2, None)]
    file = parquet(tmp_path / "dev-0.parquet", ("source_img", "mask_img", "target_img"), rows)
    made = imported("magicbrush", file, tmp_path / "brush")
    assert set(made.cases) == {"242679-2"}
    assert list(made.told.skipped.values()) == [1]


# Emu Edit ---------------------------------------------------------------------------------------------


def emu(code: str, **changes: Any) -> dict[str, Any]:
    row = {
        "instruction": "Make it night",
        "image": picture(),
        "task": "background",
        "split": "validation",
        "idx": 3,
        "hash": code,
        "input_caption": "a street by day",
        "output_caption": "a street by night",
    }
    return {**row, **changes}


def test_emu_edit_is_known_by_its_hash(tmp_path: Path) -> None:
    rows = [emu("f00"), emu("f01", task="local", output_caption="a street by day"), emu("f02", task="color")]
    parquet(tmp_path / "in" / "validation-0.parquet", ("image",), rows)
    parquet(
        tmp_path / "in" / "test-0.parquet", ("image",), [emu("f00", split="test"), emu("f09", split="test")]
    )
    made = imported("emu-edit", tmp_path / "in", tmp_path / "emu")
    assert len(made.cases) == 4
    assert made.told.skipped == {"another row has the same hash": 1}
    assert made.told.notes == {"both captions are the same: left out": 1}
    by_hash = {case.id.rsplit("-", 1)[1]: case for case in made.suite.cases}
    assert by_hash["f02"].edit_type == "recolour"
    assert by_hash["f02"].target_caption == "a street by night"
    assert by_hash["f01"].source_caption is None
    assert "split:test" in by_hash["f09"].tags
    assert "records.csv" in {path.name for path in made.path.iterdir()}
    assert ",f09,test-0.parquet,2\n" in (made.path / "records.csv").read_text("utf-8")


def test_a_quotation_mark_or_bracket_in_a_path_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "it's [1]*"
    folder.mkdir()
    parquet(tmp_path / "a.parquet", ("image",), [emu("f00")]).rename(folder / "a.parquet")
    assert len(imported("emu-edit", folder / "a.parquet", tmp_path / "emu").cases) == 1


# PIE-Bench --------------------------------------------------------------------------------------------


def pie(number: str, mask: Any, **changes: Any) -> dict[str, Any]:
    record = {
        "image_path": f"{number}/000.jpg",
        "original_prompt": "a slanted mountain bicycle on the road",
        "editing_prompt": "a slanted [rusty] mountain bicycle on the road",
        "editing_instruction": "Make the frame of the bike rusty",
        "editing_type_id": number,
        "blended_word": "bicycle bicycle",
        "mask": mask,
    }
    return {**record, **changes}


@pytest.fixture
def pie_files(tmp_path: Path) -> Path:
    records = {
        "000000000000": pie("6", [0, 2, 512, 3, 262143, 5]),
        "000000000001": pie("5", [1000, 10]),
        "000000000002": pie("9", [0, 262144]),
        "000000000003": pie("1", [5]),
        "000000000004": pie("2", [7, 7], editing_prompt="a slanted mountain bicycle [on] the road"),
    }
    pictures = {
        f"annotation_images/{record['image_path']}": picture(
            (9, 9, int(record["editing_type_id"])), (512, 512)
        )
        for record in records.values()
    }
    return write(tmp_path / "in", {"mapping_file.json": json.dumps(records), **pictures})


def test_pie_bench(pie_files: Path, tmp_path: Path) -> None:
    made = imported("pie-bench", pie_files, tmp_path / "pie")
    case = made.cases["000000000000"]
    assert case.prompt == "Make the frame of the bike rusty"
    assert case.source_caption == "a slanted mountain bicycle on the road"
    assert case.target_caption == "a slanted rusty mountain bicycle on the road"
    assert (case.edit_type, case.tags) == ("recolour", ("edit:change-attribute-color",))
    assert case.keep == ("everything outside the mask",)
    bits = made.bits("000000000000")
    expected = np.zeros((512, 512), bool)
    expected[0, :2] = expected[1, :3] = expected[-1, -1] = True
    assert (bits == expected).all(), "no frame of one pixel, and what runs over the end is cut"
    assert made.cases["000000000001"].edit_type is None
    assert made.cases["000000000002"].mask is None
    assert made.cases["000000000002"].keep == ()
    assert made.cases["000000000004"].source_caption is None
    assert made.told.notes == {
        "the mask covers everything: left out": 1,
        "the mask is not a list of pairs of start and length: left out": 1,
        "both captions are the same: left out": 1,
    }


def test_pie_bench_as_edit_preservation(pie_files: Path, tmp_path: Path) -> None:
    made = imported("pie-bench", pie_files, tmp_path / "pie", category="edit-preservation")
    assert set(made.cases) == {"000000000000"}
    assert made.told.left_out == {"not for edit-preservation": 1}
    assert sum(made.told.skipped.values()) == 3
