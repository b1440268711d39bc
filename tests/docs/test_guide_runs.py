"""The code on the pages runs, on a small finished workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pages import blocks

import evalkit


def test_the_queries_of_the_guide_answer(guide: str, finished: Path) -> None:
    work = evalkit.open_workspace(finished / "evalkit-workspace")
    queries = blocks(guide, "sql")
    assert len(queries) >= 5
    answers = [work.sql(query) for query in queries]
    assert [len(answer.columns) > 0 for answer in answers] == [True] * len(answers)
    worst = next(a for q, a in zip(queries, answers, strict=True) if "ocr_word_f1" in q)
    assert sorted(worst["system"]) == ["studio:clean?size=512", "studio:typos?size=512"]


@pytest.mark.parametrize("page", ["readme", "guide"])
def test_the_python_of_the_pages_runs(
    page: str, request: pytest.FixtureRequest, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    names: dict[str, Any] = {}
    code = blocks(request.getfixturevalue(page), "python")
    assert code
    for block in code:
        exec(compile(block, page, "exec"), names)  # noqa: S102 - the pages are ours
    assert len(names["work"].leaderboard()) > 0


def test_the_leaderboard_of_the_guide_has_the_known_order(finished: Path) -> None:
    work = evalkit.open_workspace(finished / "evalkit-workspace")
    board = work.leaderboard("typography", run=work.runs()["run"][0])
    f1 = board[board["output"] == "ocr_word_f1"]
    assert list(f1["system"]) == ["studio:clean?size=512", "studio:typos?size=512"]
