"""What a run says that it has cost: by the best that the provider tells, and never above the budget."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from contractbench import Bench, Subject, subject, subjects

from evalkit.errors import Locked, UsageError
from evalkit.providers import systems

PAID = pytest.mark.parametrize("one", [s for s in subjects() if not s.free], ids=str)
FIFTY_TOKENS = ("A red fox in the snow, " * 9)[:200]
"""Two hundred characters, which are taken to be fifty tokens."""

BASES = {
    "each": "reported",
    "bfl": "reported",
    "openrouter": "reported",
    "azure": "tokens",
    "openai": "tokens",
    "gemini": "tokens",
    "fal": "list",
    "replicate": "list",
    "stability": "list",
    "ideogram": "list",
    "together": "list",
    "pixazo": "list",
}
"""How each provider's bill is known. For OpenRouter and each::labs it comes with the answer."""


@pytest.mark.parametrize(("name", "basis"), BASES.items())
def test_the_best_basis_is_used(bench: Bench, name: str, basis: str) -> None:
    one = next(s for s in subjects() if s.name == name)
    if name == "azure":
        one = subject("azure", model="MAI-Image-2.5")
    ran = bench.run(one, "A red fox", bills=1)
    assert ran.end.price.basis == basis


@pytest.mark.parametrize(
    ("name", "task", "usd"), [("each", "edit", "0.05"), ("bfl", "t2i", "0.03"), ("openrouter", "t2i", "0.04")]
)
def test_reported_costs(bench: Bench, name: str, task: str, usd: str) -> None:
    """each::labs reports dollars, Black Forest Labs three credits of a cent, OpenRouter its own figure."""
    ran = bench.run(subject(name, task), "A red fox", bills=1)
    assert ran.end.price.usd == Decimal(usd)
    assert ran.report.spent_usd == Decimal(usd)


def test_units_of_fal_are_counted_where_their_price_is_known(bench: Bench) -> None:
    one = subject("fal")
    row = replace(one.row, tariff=replace(one.row.tariff, unit_price=Decimal("0.043")))
    spec = replace(one.spec, models=tuple(row if model is one.row else model for model in one.spec.models))
    bench.monkeypatch.setattr(systems.providers()["fal"], "spec", spec)
    ran = bench.run(one, "A red fox", bills=1, params={"n": "3"})
    assert (ran.end.price.basis, ran.end.price.usd) == ("units", Decimal("0.129"))
    assert ran.end.facts["units"] == "3"


@pytest.mark.parametrize(
    ("name", "model", "n", "edit", "usd"),
    [
        ("fal", "microsoft/mai-image-2.5", 1, False, "0.0503"),
        ("fal", "microsoft/mai-image-2.5", 4, False, "0.2003"),
        ("fal", "microsoft/mai-image-2.5/edit", 1, True, "0.0585"),
        ("fal", "microsoft/mai-image-2.5/edit", 2, True, "0.1085"),
        ("azure", "MAI-Image-2.5", 1, False, "0.0484"),
        ("azure", "MAI-Image-2.5", 1, True, "0.0566"),
    ],
)
def test_what_one_model_costs_here_and_there(
    bench: Bench, name: str, model: str, n: int, edit: bool, usd: str
) -> None:
    """About five cents a picture, and eight dollars per million tokens of a source; Azure's own is less.

    Azure's rates: https://ai.azure.com/catalog/models/MAI-Image-2.5; to a tenth of a cent, rounded up.
    """
    one = subject(name, "edit" if edit else "t2i", model)
    params = {"n": str(n)} if n > 1 else {}
    ran = bench.run(one, FIFTY_TOKENS, bills=1, params=params)
    assert ran.end.price.usd.quantize(Decimal("0.0001"), "ROUND_CEILING") == Decimal(usd)


@PAID
def test_the_ledger_never_passes_the_budget(bench: Bench, one: Subject) -> None:
    """Sixteen cases and money for three and a half of them, at their worst."""
    bench.introduce(one)
    prompts = tuple(f"Thing {letter}" for letter in "abcdefghijklmnop")
    plan, _ = bench.draft(one.system(), one.row.task, *prompts)
    budget = plan.worst_usd / 16 * Decimal("3.5")
    ran = bench.run(one, *prompts, bills=None, budget=budget)
    (price,) = {end.price.usd for end in ran.ends if end}
    assert 3 <= len(bench.fakes.ledger()) <= budget / price
    assert ran.report.spent_usd == price * len(bench.fakes.ledger()) <= budget
    assert "budget" in ran.report.stopped
    assert ran.report.exit_code == 5
    assert ran.report.open == 16 - len(bench.fakes.ledger())


@PAID
def test_what_may_have_been_billed_counts_against_the_budget(bench: Bench, one: Subject) -> None:
    bench.introduce(one)
    prompts = ("A red fox [[submit:drop_after]]", "A red hen [[submit:drop_after]]")
    plan, _ = bench.draft(one.system(), one.row.task, *prompts)
    ran = bench.run(one, *prompts, bills=1, concurrency=1, budget=plan.worst_usd * Decimal("0.75"))
    assert sorted(ran.statuses) == ["open", "unknown"]
    assert ran.report.exit_code == 5


def test_without_a_budget_nothing_is_bought(bench: Bench) -> None:
    with pytest.raises(UsageError, match="can cost up to") as caught:
        bench.run(subject("fal"), "A red fox", bills=0, budget=None)
    assert "--budget" in caught.value.hint
    assert not bench.fakes.requests()


OTHER = """
import sys
from decimal import Decimal
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import save_plan
from evalkit.store import Workspace
from evalkit.types import Case, Suite, System
workspace = Workspace.open(sys.argv[1])
suite = Suite("contract", "1", "product", "CC0-1.0", "x", sys.argv[2], (Case("c0", sys.argv[3]),))
plan, providers = build_plan([suite], [System("bfl", "flux-2-pro")], keep=workspace.objects.put)
print(execute(workspace, save_plan(workspace, plan), providers, RunOptions(budget=Decimal(9))).exit_code)
"""


def test_two_processes_do_not_share_a_run(bench: Bench) -> None:
    prompt = "A red fox [[submit:slow=0.7]]"
    command = [sys.executable, "-c", OTHER, str(bench.workspace.root), str(bench.root), prompt]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        end = time.monotonic() + 30
        while not bench.fakes.requests() and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises(Locked, match=str(other.pid)):
            bench.run(subject("bfl"), prompt, bills=0)
        said, _ = other.communicate(timeout=30)
    assert said.strip() == "0"
    assert len(bench.fakes.ledger()) == 1
    assert bench.run(subject("bfl"), prompt, bills=0).status == "ok"
