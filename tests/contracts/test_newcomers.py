"""A description that a newcomer wrote is held to the same contracts; and the one provider that is code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from contractbench import Bench, Subject, subjects

from evalkit.fakes import FakeServer
from evalkit.providers import systems
from evalkit.remote.catalog import CATALOG
from evalkit.types import System

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": "{{seed}}", "positive": ["6", 0]}},
    "5": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": "{{width}}", "height": "{{height}}", "batch_size": 1},
    },
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "{{prompt}}"}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """Somebody's own file, which says what Replicate's says under another name."""
    text = (CATALOG / "replicate.toml").read_text("utf-8")
    (tmp_path / "mylab.toml").write_text(
        text.replace('name = "replicate"', 'name = "my-lab"').replace("REPLICATE_API_TOKEN", "MY_LAB_KEY")
    )
    monkeypatch.setenv("EVALKIT_PROVIDERS", str(tmp_path / "mylab.toml"))
    monkeypatch.setenv("EVALKIT_CONTRACTS", "my-lab=replicate")
    systems.providers.cache_clear()
    yield next(s for s in subjects() if s.name == "my-lab")
    systems.providers.cache_clear()


def test_a_newcomer_is_tried_like_the_others(bench: Bench, newcomer: Subject) -> None:
    assert bench.run(newcomer, "A red fox", bills=1).status == "ok"
    assert bench.run(newcomer, "A hen [[submit:drop_after]]", bills=1).status == "unknown"


def test_a_newcomer_with_a_protocol_of_its_own_is_mirrored(
    newcomer: Subject, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALKIT_CONTRACTS", "")
    alone = next(s for s in subjects() if s.name == newcomer.name)
    with FakeServer(polls=2, side=64) as fakes:
        for variable, value in fakes.environment().items():
            monkeypatch.setenv(variable, value)
        own = replace(bench, fakes=fakes, root=bench.root / "own")
        assert own.run(alone, "A red fox", bills=1).status == "ok"
        assert own.run(alone, "A hen [[submit:drop_after]]", bills=1).status == "unknown"


@pytest.fixture
def comfy(bench: Bench) -> System:
    workflow = bench.root / "workflow.json"
    workflow.write_text(json.dumps(GRAPH))
    bench.monkeypatch.setattr("evalkit.providers.comfyui.POLL_SECONDS", (0.002, 0.01))
    return System("comfyui", str(workflow), {"size": "64"})


@pytest.mark.parametrize(
    ("fault", "status", "kind", "billed"),
    [
        ("", "ok", None, 1),
        ("[[poll:500*2]]", "ok", None, 1),
        ("[[poll:drop*1]]", "ok", None, 1),
        ("[[poll:html*1]]", "ok", None, 1),
        ("[[end:fail]]", "failed", "permanent", 1),
        ("[[end:cancelled]]", "failed", "cancelled", 1),
        ("[[dl:truncate_ok]]", "failed", None, 1),
        ("[[dl:500*1]]", "ok", None, 1),
        ("[[result:noimages]]", "failed", "permanent", 1),
        ("[[submit:400]]", "failed", "validation", 0),
    ],
)
def test_comfyui(bench: Bench, comfy: System, fault: str, status: str, kind: str | None, billed: int) -> None:
    ran = bench.run_system(comfy, "t2i", f"A red fox {fault}", bills=billed)
    assert ran.status == status
    assert kind in (None, ran.end.kind)


def test_comfyui_replicates_have_seeds(bench: Bench, comfy: System) -> None:
    ran = bench.run_system(comfy, "t2i", "A red fox", bills=3, replicates=3)
    assert ran.statuses == ["ok"] * 3
    assert len({end.images[0].sha256 for end in ran.ends if end}) == 3


def test_comfyui_looks_up_a_job_whose_answer_was_lost(bench: Bench, comfy: System) -> None:
    """It chose the id itself, so asking for that id again is no second job."""
    ran = bench.run_system(comfy, "t2i", "A red fox [[submit:drop_after*1]]", bills=1)
    ran = (
        ran
        if ran.status == "ok"
        else bench.run_system(comfy, "t2i", "A red fox [[submit:drop_after*1]]", bills=0, retry_failed=True)
    )
    assert ran.status == "ok"
    assert len(bench.fakes.ledger()) == 1


def test_comfyui_goes_on_after_a_crash(bench: Bench, comfy: System) -> None:
    bench.run_system(comfy, "t2i", "A red fox", bills=1)
    bench.crash_after("accepted")
    assert bench.run_system(comfy, "t2i", "A red fox", bills=0).status == "ok"
