"""The example in docs/extending/providers.md is taken out of the page, plugged in, planned and run."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pages import blocks
from typer.testing import CliRunner

import evalkit
from evalkit import plugins
from evalkit.cli.main import app
from evalkit.providers.systems import providers
from evalkit.suite import new_suite
from evalkit.types import Price

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extending" / "providers.md").read_text("utf-8")
PROMPTS = ("A wall painted teal", "Salmon or olive", "The secret maroon", "Something nice")


def block(opening: str) -> str:
    (only,) = blocks(PAGE, opening)
    return only


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the suite `paints`, and `swatch` plugged in as from a package of somebody else."""
    (tmp_path / "swatch.py").write_text(block("python title=swatch.py"), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    declared = tomllib.loads(block("toml title=pyproject.toml"))["project"]["entry-points"]
    points = [
        EntryPoint(name, value, "evalkit.providers") for name, value in declared["evalkit.providers"].items()
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    providers.cache_clear()
    monkeypatch.chdir(tmp_path)
    cases = [json.dumps({"id": f"c{n}", "prompt": prompt}) for n, prompt in enumerate(PROMPTS)]
    (new_suite(Path("paints"), "product") / "cases.jsonl").write_text("\n".join(cases) + "\n", "utf-8")
    yield tmp_path
    providers.cache_clear()
    sys.modules.pop("swatch", None)


def test_the_example_is_shown_planned_and_run(shop: Path) -> None:
    lines = re.findall(r"^\$ evalkit (.*)$", block("console"), re.MULTILINE)
    results = [CliRunner().invoke(app, shlex.split(line)) for line in lines]
    assert [result.exit_code for result in results] == [0, 0, 3], [result.output for result in results]
    assert "swatch:gloss" in results[0].stdout
    assert "Nothing has been sent" in results[1].stdout
    made = evalkit.open_workspace().generations()
    assert set(made["system"]) == {"swatch:matt", "shiny"}
    assert Counter(zip(made["case"], made["status"], strict=True)) == {
        ("c0", "ok"): 2,
        ("c1", "ok"): 2,
        ("c2", "refused"): 2,
        ("c3", "failed"): 2,
    }
    assert set(made[made["status"] == "failed"]["kind"]) == {"unsupported"}
    assert made["image"].nunique() == 4


def test_running_it_again_asks_nothing(shop: Path) -> None:
    run = shlex.split(re.findall(r"^\$ evalkit (run .*)$", block("console"), re.MULTILINE)[0])
    CliRunner().invoke(app, run)
    again = CliRunner().invoke(app, [*run, "--json"])
    outcomes = json.loads(again.stdout)["outcomes"]
    assert {row["outcome"]: row["now"] for row in outcomes} == {"ok": 0, "refused": 0, "failed": 0}


def test_a_wrong_model_is_refused_before_anything_is_planned(shop: Path) -> None:
    result = CliRunner().invoke(app, ["run", "paints", "--system", "swatch:mat"])
    assert "unknown swatch finish 'mat'" in str(result.exception)
    assert not (shop / "evalkit-workspace" / "runs").exists()


def test_the_quote_is_a_price() -> None:
    names: dict[str, Any] = {"Price": Price, "Decimal": Decimal, "Request": object}
    exec(block("python title=paid.py"), names)  # noqa: S102 - the page is ours
    assert names["quote"](None, None) == Price(Decimal("0.04"), "list")
