"""Pictures that somebody already has: real photographs with known damage come out in the known order."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import evalkit
from evalkit.images import decode
from evalkit.suite import load_suite, resolve_mask, resolve_source

Edit = Callable[[Image.Image, Image.Image], Image.Image]
"""(source, mask) -> edited picture."""

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")


def recoloured(source: Image.Image, mask: Image.Image) -> Image.Image:
    """A good edit: another colour inside the mask, everything else untouched."""
    red, green, blue = source.split()
    return Image.composite(Image.merge("RGB", (blue, red, green)), source, mask)


def blurred_inside(source: Image.Image, mask: Image.Image) -> Image.Image:
    return Image.composite(source.filter(ImageFilter.GaussianBlur(4)), source, mask)


def jpeg(quality: int) -> Edit:
    def edit(source: Image.Image, mask: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        recoloured(source, mask).save(buffer, "JPEG", quality=quality)
        return Image.open(io.BytesIO(buffer.getvalue()))

    return edit


def shifted(source: Image.Image, mask: Image.Image) -> Image.Image:
    pixels = np.asarray(recoloured(source, mask))
    return Image.fromarray(np.roll(pixels, (6, 6), axis=(0, 1)))


def blurred_everywhere(source: Image.Image, mask: Image.Image) -> Image.Image:
    return recoloured(source, mask).filter(ImageFilter.GaussianBlur(5))


def cropped(source: Image.Image, mask: Image.Image) -> Image.Image:
    """Another aspect ratio: what is left can be compared, and that a third is gone has to be said."""
    width, height = source.size
    return recoloured(source, mask).crop((0, 0, width * 2 // 3, height))


def another_picture(source: Image.Image, mask: Image.Image) -> Image.Image:
    """Nothing to do with the source, and of another shape: pixels must not be compared."""
    del source, mask
    noise = np.random.default_rng(4).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    return Image.fromarray(noise)


EDITS: Mapping[str, Edit] = {
    "recoloured": recoloured,
    "blurred-inside": blurred_inside,
    "jpeg-90": jpeg(90),
    "jpeg-20": jpeg(20),
    "shifted": shifted,
    "blurred-everywhere": blurred_everywhere,
    "cropped": cropped,
    "another-picture": another_picture,
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite on photographs, one folder of pictures per kind of damage, run and scored by the commands."""
    base = tmp_path_factory.mktemp("real")
    suite = write_suite(base / "photographs")
    loaded = load_suite(suite)
    for case in loaded.cases:
        source = resolve_source(loaded, case)
        mask = resolve_mask(loaded, case, source)
        assert source is not None
        assert mask is not None
        picture = Image.fromarray(decode(source.data))
        region = Image.open(io.BytesIO(mask.data))
        for name, edit in EDITS.items():
            folder = base / "edits" / name
            folder.mkdir(parents=True, exist_ok=True)
            edit(picture, region).save(folder / f"{case.id}.png")
    (base / "edits" / "recoloured" / "holiday.png").write_bytes(b"not one of the cases")
    systems = [part for name in EDITS for part in ("-s", f"{name}=folder:{base / 'edits' / name}")]
    command("run", str(suite), *systems, at=base)
    command("score", "-m", "pixels,faults,lpips,lpips[trunk=mini],clip[model=mini]", at=base)
    return base


def write_suite(folder: Path) -> Path:
    folder.mkdir()
    (folder / "README.md").write_text("# photographs\n")
    head = {"name": "photographs", "version": "1", "category": "edit-preservation", "licence": "CC0-1.0"}
    text = "".join(f'{key} = "{value}"\n' for key, value in head.items())
    (folder / "suite.toml").write_text(text + 'description = "Real photographs with known damage."\n')
    region = {"shapes": [{"kind": "ellipse", "points": [0.3, 0.3, 0.7, 0.7]}]}
    cases = [
        {
            "id": name,
            "prompt": "Change the colours in the middle, keep everything else",
            "task": "edit",
            "source": f"skimage:{name}",
            "mask": region,
            "source_caption": f"a photograph, {name}",
            "target_caption": f"a photograph, {name}, other colours in the middle",
            "edit_type": "recolour",
            "keep": ["everything outside the middle"],
            "tags": ["easy"],
        }
        for name in PHOTOGRAPHS
    ]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    return folder


def command(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "evalkit", *arguments, "--workspace", str(at / "workspace")]
    result = subprocess.run(line, check=False, capture_output=True, text=True, timeout=300, cwd=at)
    assert result.returncode == 0, result.stderr
    return result


def means(workspace: Path, output: str, metric: str = "%") -> dict[str, float]:
    work = evalkit.open_workspace(workspace / "workspace")
    frame = work.sql(
        "SELECT system, avg(value) AS value FROM case_scores WHERE output = ? AND metric LIKE ? GROUP BY ALL",
        [output, metric],
    )
    return dict(zip(frame["system"], frame["value"], strict=True))


def ordered(scores: Mapping[str, float], *names: str) -> bool:
    return all(scores[better] > scores[worse] for better, worse in pairwise(names))


@pytest.mark.parametrize("output", ["psnr_out", "ssim_out"])
def test_more_damage_outside_the_mask_is_less_alike(workspace: Path, output: str) -> None:
    scores = means(workspace, output)
    assert ordered(scores, "recoloured", "jpeg-90", "jpeg-20", "shifted")
    assert ordered(scores, "jpeg-20", "blurred-everywhere")


@pytest.mark.parametrize(
    ("output", "metric"), [("de00_out", "pixels"), ("mse_out", "pixels"), ("lpips_out", "lpips[trunk=mini]")]
)
def test_more_damage_outside_the_mask_is_further_away(workspace: Path, output: str, metric: str) -> None:
    distance = {system: -value for system, value in means(workspace, output, metric).items()}
    assert ordered(distance, "recoloured", "jpeg-90", "jpeg-20")
    assert ordered(distance, "jpeg-90", "blurred-everywhere")
    assert ordered(distance, "jpeg-90", "shifted")


def test_damage_inside_the_mask_does_not_count_as_damage(workspace: Path) -> None:
    scores = means(workspace, "psnr_out")
    assert scores["blurred-inside"] == scores["recoloured"] == 100.0


def test_what_cannot_be_compared_is_missing_with_a_reason(workspace: Path) -> None:
    frame = evalkit.open_workspace(workspace / "workspace").scores()
    row = frame[(frame["system"] == "another-picture") & (frame["output"] == "psnr_out")]
    assert set(row["reason"]) == {"unaligned"}
    assert row["value"].isna().all()


def test_what_is_left_of_a_cropped_picture_is_compared(workspace: Path) -> None:
    assert means(workspace, "psnr_out")["cropped"] > 40
    assert means(workspace, "overlap")["cropped"] == pytest.approx(2 / 3, abs=0.02)


def test_a_shift_is_undone_before_it_is_judged(workspace: Path) -> None:
    assert means(workspace, "psnr_out")["shifted"] < 30
    assert means(workspace, "psnr_out_registered")["shifted"] > 40


def test_faults_are_named(workspace: Path) -> None:
    frame = evalkit.open_workspace(workspace / "workspace").sql(
        "SELECT system, split_part(detail, ':', 1) AS fault FROM scores WHERE output = 'fault'"
    )
    found = {system: set(rows["fault"].fillna("")) for system, rows in frame.groupby("system")}
    assert found["recoloured"] == found["jpeg-90"] == {""}
    assert found["cropped"] == {"cropped"}
    assert found["shifted"] == {"displaced"}
    assert found["blurred-everywhere"] == {"softened"}
    assert found["jpeg-20"] <= {"reencoded", "mask_ignored"}
    assert found["another-picture"] == {"repainted"}


def test_missing_weights_are_said_and_the_rest_goes_on(workspace: Path) -> None:
    frame = evalkit.open_workspace(workspace / "workspace").scores()
    row = frame[(frame["metric"] == "lpips") & (frame["system"] == "recoloured")]
    assert set(row["reason"]) == {"weights_missing"}


def test_a_stray_file_is_listed(workspace: Path) -> None:
    system = evalkit.open_workspace(workspace / "workspace").sql(
        "SELECT * FROM systems WHERE system = 'recoloured'"
    )
    assert list(system["unmatched_files"].iloc[0]) == ["holiday.png"]


def test_the_report_shows_it(workspace: Path) -> None:
    report = workspace / "report.html"
    command("report", "-o", str(report), at=workspace)
    text = report.read_text()
    assert "blurred-everywhere" in text
    assert "weights missing" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_the_leaderboard_says_that_coverage_differs(workspace: Path) -> None:
    work = evalkit.open_workspace(workspace / "workspace")
    board = work.leaderboard("edit-preservation", outputs=["psnr_out"])
    assert len(board) == len(EDITS)
    assert board["coverage_gap"].all()
