"""`evalkit demo`, as a new user runs it, with the network cut off."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import evalkit
from evalkit.cli.demo import SUITES, VARIANTS
from evalkit.errors import UnknownName


def without_network(command: Sequence[str]) -> list[str]:
    """The command in a network namespace of its own, where the system allows making one."""
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-rn", "true"], check=False, capture_output=True).returncode
    ):
        return list(command)
    return [unshare, "-rn", *command]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    command = without_network([sys.executable, "-W", "error", "-m", "evalkit", "demo", "--workspace", "w"])
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_it_ends_with_the_path_of_a_report_that_needs_nothing(demo: tuple[Path, str]) -> None:
    _, printed = demo
    report = Path(printed.strip().splitlines()[-1])
    assert report.suffix == ".html"
    text = report.read_text()
    assert 100_000 < len(text) < 5_000_000
    links = set(re.findall(r"""(?:src|href)=["']?([^"'#> ]+)""", text))
    assert all(link.startswith("data:image/") for link in links)
    assert "default-src 'none'" in text
    assert "<script" not in text


def test_it_says_what_is_synthetic(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    assert "Synthetic" in printed
    text = next((folder / "w" / "reports").glob("*.html")).read_text().lower()
    assert "simulated" in text
    assert "studio" in text


def test_the_terminal_shows_a_leaderboard_of_each_category(demo: tuple[Path, str]) -> None:
    _, printed = demo
    for category in ("product", "portrait", "typography", "edit-preservation", "Raters"):
        assert re.search(rf"^{category}", printed, re.MULTILINE)
    assert printed.count("studio:clean") >= 5


def test_every_stage_is_in_the_data(demo: tuple[Path, str]) -> None:
    work = evalkit.open_workspace(demo[0] / "w")
    generations = work.generations()
    assert set(generations["suite"]) == set(SUITES)
    assert set(generations["system"]) == {f"studio:{variant}" for variant in VARIANTS}
    assert set(generations["status"]) == {"ok", "refused", "failed"}
    scores = work.scores()
    assert {"clip_cos", "lpips_out", "ocr_word_f1", "psnr_out"} <= set(scores["output"])
    delivered = scores[scores["status"] == "ok"]
    assert delivered["value"].notna().mean() > 0.98
    missing = scores[scores["value"].isna()]
    assert missing["reason"].notna().all()
    votes = work.votes()
    assert votes["simulated"].all()
    assert set(votes["criterion"]) == {"alignment", "appeal", "preservation"}


def test_known_faults_rank_below_clean(demo: tuple[Path, str]) -> None:
    work = evalkit.open_workspace(demo[0] / "w")

    def mean(category: str, output: str, variant: str) -> float:
        board = work.leaderboard(category, outputs=[output])
        return float(board.loc[board["system"] == f"studio:{variant}", "estimate"].iloc[0])

    def clean_leads(category: str, output: str, fault: str) -> bool:
        return mean(category, output, "clean") > mean(category, output, fault)

    assert clean_leads("product", "clip_cos", "wrong-colour")
    assert clean_leads("typography", "ocr_word_f1", "typos")
    for fault in ("repaint", "shifted", "soft"):
        assert clean_leads("edit-preservation", "psnr_out", fault)
        assert not clean_leads("edit-preservation", "lpips_out", fault)
    study = str(work.sql("SELECT study FROM studies")["study"].iloc[0])
    ratings = work.leaderboard(study=study, criterion="appeal")
    assert ratings["system"].iloc[-1] == "studio:soft"


def test_a_category_that_is_not_there_is_an_error(demo: tuple[Path, str]) -> None:
    with pytest.raises(UnknownName, match="typografy") as caught:
        evalkit.open_workspace(demo[0] / "w").leaderboard("typografy")
    assert "Did you mean typography?" in caught.value.hint


def test_running_again_repeats_nothing(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    before = {path: path.stat().st_size for path in (folder / "w").rglob("*.jsonl")}
    command = [sys.executable, "-m", "evalkit", "demo", "--workspace", "w"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    assert {path: path.stat().st_size for path in (folder / "w").rglob("*.jsonl")} == before


def test_the_numbers_are_there_as_json_too(demo: tuple[Path, str]) -> None:
    results = json.loads(next((demo[0] / "w" / "reports").glob("*.json")).read_text())
    assert results["sections"]["leaderboard"]
