"""Nothing is worked out twice: no score, and no embedding that a lost or outdated score was made of."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from evalkit.cli.score import score as command
from evalkit.errors import UnknownName, UsageError
from evalkit.metrics.networks import embedder
from evalkit.metrics.networks.encoders import Encoder
from evalkit.metrics.registry import parse
from evalkit.providers.systems import parse_systems
from evalkit.resources import bundled
from evalkit.runner import judge
from evalkit.runner.execute import execute
from evalkit.runner.plan import build_plan
from evalkit.runner.score import score_run
from evalkit.runs import Plan, save_plan
from evalkit.store import Workspace, read_records
from evalkit.types import Suite

ONE = "clip[model=mini]"


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went through a model: `picture` or `text`, once for each."""
    seen: list[str] = []
    embed, texts = Encoder.embed, Encoder.texts
    monkeypatch.setattr(Encoder, "embed", lambda self, t: seen.extend(["picture"] * len(t)) or embed(self, t))
    monkeypatch.setattr(Encoder, "texts", lambda self, t: seen.extend(["text"] * len(t)) or texts(self, t))
    return seen


@pytest.fixture(autouse=True)
def _another_process() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    """What a new process does not know."""
    embedder._shared.cache_clear()
    judge._metric.cache_clear()
    judge._pictures.cache_clear()


def run(workspace: Workspace, suite: Suite) -> Plan:
    plan, providers = build_plan([suite], parse_systems(["counted:a"]), keep=workspace.objects.put)
    plan = save_plan(workspace, plan)
    execute(workspace, plan, providers)
    return plan


def score(workspace: Workspace, plan: Plan, metrics: str = ONE) -> dict[str, dict]:
    """The values of every score on record, by metric and picture."""
    score_run(workspace, plan, parse(metrics), workers=1, device="cpu")
    records = [r for path in workspace.scores.glob("*.jsonl") for r in read_records(path)]
    return {r["metric"] + r["image"]: r["values"] for r in records if r["type"] == "score"}


def test_a_second_pass_embeds_nothing(workspace, counted, make_suite, embedded) -> None:
    plan = run(workspace, make_suite(["a red mug", "a blue ball"]))
    first = score(workspace, plan)
    assert embedded.count("picture") == 4  # whole and padded
    assert embedded.count("text") == 4  # plain and with Hessel's prefix
    embedded.clear()
    forget()
    assert score(workspace, plan) == first
    assert embedded == []


def test_embeddings_outlive_the_scores_and_the_process(workspace, counted, make_suite, embedded) -> None:
    plan = run(workspace, make_suite(["a red mug", "a blue ball"]))
    first = score(workspace, plan)
    embedded.clear()
    shutil.rmtree(workspace.scores)
    forget()
    assert score(workspace, plan) == first
    assert embedded == []
    shutil.rmtree(workspace.scores)
    shutil.rmtree(workspace.cache)
    forget()
    assert score(workspace, plan) == first
    assert len(embedded) == 8


def test_another_precision_is_another_score(workspace, counted, make_suite, embedded) -> None:
    plan = run(workspace, make_suite(["a red mug"]))
    score(workspace, plan)
    embedded.clear()
    both = score(workspace, plan, "clip[model=mini,precision=bf16]")
    assert embedded.count("picture") == 2
    assert len(both) == 2
    exact, low = ({v["output"]: v["value"] for v in values} for values in both.values())
    assert exact["clip_cos"] != low["clip_cos"]
    assert exact["clip_cos"] == pytest.approx(low["clip_cos"], abs=1e-2)


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    path = bundled("suites").parent / "benchmarks" / "metrics.py"
    spec = importlib.util.spec_from_file_location("metrics_bench", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["metrics_bench"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["metrics_bench"]


def test_scoring_again_is_quick(
    bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The budget is 5 s for 10,000 pictures; here 400 by four metrics, filled and scored again."""
    started = time.process_time()
    bench.rescoring(tmp_path, 400)
    assert time.process_time() - started < 5
    assert "400 pictures, 1600 scores known" in capsys.readouterr().out


def test_device_and_precision_on_the_command_line(workspace, counted, make_suite, capsys) -> None:
    run(workspace, make_suite(["a red mug"]))

    def evalkit(**options: str) -> list[dict]:
        command(metrics=ONE, workspace=workspace.root, workers=1, as_json=True, **options)
        return json.loads(capsys.readouterr().out)

    with pytest.raises(UsageError, match="'tpu'"):
        evalkit(device="tpu")
    with pytest.raises(UnknownName, match="int4"):
        evalkit(precision="int4")
    (row,) = evalkit(device="cpu", precision="bf16")
    assert row["metric"] == "clip[model=mini,precision=bf16]"
    assert row["judged now"] == 1
