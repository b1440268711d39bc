"""A rehearsal is known as one from the plan to the database, and nothing else is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from evalkit.providers.systems import make_provider
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, Trials, load_plan, save_plan
from evalkit.store import Workspace
from evalkit.types import Case, System
from evalkit.warehouse import connect

HERE = "http://127.0.0.1:9"


def saved(folder: Path, rehearsed: bool) -> Workspace:
    workspace = Workspace.open(folder)
    suite = SuiteFacts("s", "1", "d", "product", "CC0-1.0", "", synthetic=False)
    case = PlannedCase("s", Case("c", "A mug."))
    system = PlannedSystem(System("fal", "m"), replayable=False, rehearsed=rehearsed)
    trials = Trials([("0" * 64, 0, 0, 0)])
    save_plan(workspace, Plan("r", "2026-05-04T12:00:00Z", (suite,), (case,), (system,), trials, "x"))
    return workspace


@pytest.mark.parametrize("rehearsed", [True, False])
@pytest.mark.parametrize("folder", ["rehearsal", "work"])
def test_from_plan_to_database(folder: str, rehearsed: bool, tmp_path: Path) -> None:
    workspace = saved(tmp_path / folder, rehearsed)
    assert load_plan(workspace, "r").systems[0].rehearsed is rehearsed
    with closing(connect(workspace)) as db:
        assert db.execute("SELECT rehearsal FROM runs").fetchone() == (folder == "rehearsal",)
        assert db.execute("SELECT rehearsed FROM systems").fetchone() == (rehearsed,)


@pytest.mark.parametrize(
    ("spec", "base", "expected"),
    [
        (System("fal", "mai-image-2.5"), HERE, True),
        (System("fal", "mai-image-2.5"), "https://gateway.example", False),
        (System("fal", "mai-image-2.5"), "", False),
        (System("a1111", "sd"), HERE, False),
    ],
)
def test_only_a_stand_in_for_a_service_elsewhere_is_a_rehearsal(
    spec: System, base: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"EVALKIT_{spec.provider.upper()}_BASE", base)
    assert make_provider(spec).rehearsed is expected
