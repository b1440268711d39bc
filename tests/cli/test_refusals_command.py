"""`evalkit refusals`, end to end: a provider whose policy changes between two runs of the real suite."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from evalkit.fakes import FakeServer, faults
from evalkit.fakes.state import World
from evalkit.metrics.registry import parse
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runner.score import score_run
from evalkit.runs import save_plan
from evalkit.store import Workspace
from evalkit.suite import load_suite

Result = subprocess.CompletedProcess[str]
Evalkit = Callable[..., Result]
OLD = {"chef-knife": "end:moderation", "wasp-head": "submit:500"}
NEW = {
    "boxing-round": "end:moderation",
    "fencing-lunge": "end:moderation=output",
    "archery-release": "end:moderation",
    "biathlon-range": "end:moderation",
    "judo-throw": "end:moderation",
    "tin-soldiers": "end:moderation",
    "mantis-fly": "end:blank",
    "chef-knife": "end:blank",
    "wasp-head": "submit:500",
    "saloon-brawl": "end:moderation",
}
"""What becomes of which case, before and after; all others are drawn."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the workspaces `old` and `new`: half the suite, asked twice of one model."""
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patch, FakeServer(polls=1, side=48) as server:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        for name, policy in (("old", OLD), ("new", NEW)):
            ask(Workspace.open(folder / name), name, policy, patch)
    return folder


def ask(workspace: Workspace, name: str, policy: Mapping[str, str], patch: pytest.MonkeyPatch) -> None:
    whole = load_suite("refusals")
    suite = replace(whole, cases=[case for i, case in enumerate(whole.cases) if i % 2 or case.id in NEW])
    texts = {case.prompt: policy.get(case.id, "") for case in suite.cases}

    def directives(_: World, provider: str, prompt: str) -> tuple[faults.Directive, ...]:
        del provider
        return faults.parse(f"[[{texts[prompt]}]]") if texts.get(prompt) else ()

    patch.setattr(World, "directives", directives)
    systems = parse_systems(["prod=openai:gpt-image-2"])
    plan, providers = build_plan([suite], systems, name=name, keep=workspace.objects.put)
    plan = save_plan(workspace, plan)
    execute(workspace, plan, providers, RunOptions(budget=Decimal(100)))
    if name == "new":
        score_run(workspace, plan, parse("delivery"), workers=1)


@pytest.fixture
def evalkit(places: Path) -> Evalkit:
    def call(*arguments: str) -> Result:
        command = [sys.executable, "-W", "error", "-m", "evalkit", "refusals", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=places, timeout=120, check=False)

    return call


def test_a_run_by_itself(evalkit: Evalkit) -> None:
    told = evalkit("-w", "new")
    assert told.returncode == 0, told.stderr
    assert "Refusals in new" in told.stdout
    assert "topic:sport" in told.stdout
    assert "prod, harmless: 2 delivered pictures are blank." in told.stderr
    assert "Requests without an answer are in no rate" in told.stderr
    rows = json.loads(evalkit("-w", "new", "--json").stdout)["rows"]
    (whole,) = [row for row in rows if row["kind"] == "harmless" and not row["part"]]
    assert (whole["refused"], whole["at_input"], whole["at_output"], whole["blank"]) == (6, 5, 1, 2)
    assert whole["unknown"] + whole["failed"] == 1


def test_two_workspaces_of_one_system(evalkit: Evalkit) -> None:
    told = evalkit("-w", "new", "--base-workspace", "old")
    assert told.returncode == 0, told.stderr
    assert "(6 newly refused, 1 newly allowed but 1 of these with a blank picture), p = 0.125" in told.stdout
    assert "newly allowed (blank picture)" in told.stdout
    assert "harmless: 1 of 36 prompts have no answer on one side" in told.stderr
    (found,) = json.loads(evalkit("-w", "new", "--base-workspace", "old", "--json").stdout)
    directions = {prompt["case"]: prompt["direction"] for prompt in found["prompts"]}
    refused = {name for name, fate in NEW.items() if "moderation" in fate}
    assert directions == {**dict.fromkeys(refused, "newly refused"), "chef-knife": "newly allowed"}
    assert all("rejected by the safety system" in prompt["words"] for prompt in found["prompts"])
    whole = found["changes"][0]
    assert (whole["left_out"], whole["change"]["rose"], whole["decided"]) == (1, 6, False)
    assert found["before"] == {"run": "old", "system": "prod"}


def test_exit_codes_of_a_gate(evalkit: Evalkit) -> None:
    compare = ("-w", "new", "--base-workspace", "old", "--most-rise")
    passed, open_ = evalkit(*compare, "60"), evalkit(*compare, "5")
    assert (passed.returncode, "PASS" in passed.stdout) == (0, True)
    assert (open_.returncode, "INCONCLUSIVE" in open_.stdout) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["-w", "new", "--most-rise", "5"], "needs something to compare with", "--base RUN"),
        (["-w", "new", "--base", "new"], "the very same answers", "--base-workspace"),
        (["-w", "new", "-s", "prd"], "unknown system of run new 'prd'", "Did you mean prod?"),
        (["-w", "new", "--base", "gone"], "unknown run 'gone'", "new"),
        (["-w", "new", "--base-workspace", "nowhere"], "no workspace", "evalkit"),
    ],
)
def test_wrong_usage_says_what_to_do(evalkit: Evalkit, arguments: list[str], message: str, hint: str) -> None:
    told = evalkit(*arguments)
    assert told.returncode == 2
    assert message in told.stderr
    assert hint in told.stderr
    assert "Traceback" not in told.stderr
