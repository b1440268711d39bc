"""What docs/extending/providers.md shows is taken out of the page and done."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pages import blocks
from typer.testing import CliRunner

import evalkit
from evalkit import plugins, types
from evalkit.cli.main import app
from evalkit.errors import InvalidInput
from evalkit.fakes import FakeServer
from evalkit.providers import base
from evalkit.providers.systems import providers
from evalkit.remote import spec
from evalkit.remote.body import FIELDS, FILE_HOOKS, VALUE_HOOKS
from evalkit.remote.catalog import read_spec, specs
from evalkit.remote.classify import Reply, classify
from evalkit.remote.paths import find
from evalkit.suite import new_suite
from evalkit.types import Delivered, Job, Picture, Price, Rejected, Request, System, Unknown

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending" / "providers.md").read_text("utf-8")
KEYS = (ROOT / "docs" / "extending" / "provider-keys.md").read_text("utf-8")
PROMPTS = ("A wall painted teal", "Salmon or olive", "The secret maroon", "Something nice")


def block(opening: str) -> str:
    (only,) = blocks(PAGE, opening)
    return only


def commands(about: str) -> list[list[str]]:
    """The arguments of `evalkit` in the one console block that is about this."""
    (lines,) = [shown for shown in blocks(PAGE, "console") if about in shown]
    return [shlex.split(line) for line in re.findall(r"^\$ evalkit (.*)$", lines, re.MULTILINE)]


def do(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, arguments)


# The provider that is one file -----------------------------------------------------------------------


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with `acme.toml`, known to evalkit by its variable, as on the page."""
    (tmp_path / "acme.toml").write_text(block("toml title=acme.toml"), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALKIT_PROVIDERS", "acme.toml")
    monkeypatch.delenv("ACME_API_KEY", raising=False)
    providers.cache_clear()
    yield tmp_path
    providers.cache_clear()


def test_acme_is_shown_planned_and_rehearsed(acme: Path) -> None:
    start, show, plan, run = commands("acme-paint")
    assert do(start).exit_code == 0
    (acme / "mugs" / "cases.jsonl").write_text(block("jsonl title=mugs/cases.jsonl"), "utf-8")
    shown, planned, ran = do(show), do(plan), do([*run, "--json"])
    assert [shown.exit_code, planned.exit_code, ran.exit_code] == [0, 0, 3], ran.output
    assert "acme-paint" in shown.stdout
    assert "ACME_API_KEY" in shown.stdout
    assert "$0.16 expected" in planned.stdout
    made = evalkit.open_workspace(acme / "evalkit-workspace" / "rehearsal").generations()
    assert dict(zip(made["case"], made["status"], strict=True)) == {
        "c1": "ok",
        "c2": "ok",
        "c3": "refused",
        "c4": "unknown",
    }
    costs = dict(zip(made["case"], made["cost_usd"], strict=True))
    assert (float(costs["c1"]), float(costs["c3"]), float(costs["c4"])) == (0.04, 0, 0.04)


def test_acme_is_checked_and_probed(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, probe = commands("providers probe")
    without = do(check)
    assert without.exit_code == 3
    assert "ACME_API_KEY" in without.output
    with FakeServer(polls=1, side=256) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        assert do(check).exit_code == 0
        probed = do(probe)
        billed = {job.provider for job in server.ledger()}
    assert probed.exit_code == 0, probed.output
    assert billed == {"acme"}


def test_acme_is_what_its_page_says(acme: Path) -> None:
    """The answers in the text above the file, read with the file."""
    described = read_spec(acme / "acme.toml")
    said = block("text")
    accepted, drawing, finished, failed = [
        json.loads(line) for line in re.findall(r"^ -> +(\{.*)$", said, re.M)
    ]
    assert find(accepted, described.id) == ["j1"]
    assert [find(answer, described.state) for answer in (accepted, drawing, finished, failed)] == [
        [word] for word in described.states
    ]
    assert find(accepted, described.save["status_url"])[0].startswith(described.base)
    assert find(finished, described.out.images[0]) == ["https://..."]
    assert find(finished, described.out.cost)[0] * described.out.cost_unit == Decimal("0.04")
    verdict = classify(described, Reply(200, json=failed), "poll")
    assert verdict is not None
    assert verdict.kind == "moderation"
    (request,) = re.findall(r"^ +(\{.*)$", said, re.MULTILINE)
    sent = set(described.submit["t2i"].body) - {"*"} | set(described.models[0].params)
    assert set(json.loads(request)) == sent


def test_the_tests_of_every_provider_run_on_acme(acme: Path) -> None:
    (line,) = re.findall(r"^(?:\w+=\S+ )?python (-m pytest .*)$", block("shell"), re.MULTILINE)
    told = dict(os.environ) | {"EVALKIT_PROVIDERS": str(acme / "acme.toml")}
    command = [sys.executable, *shlex.split(line), "-q", "-n0", "-p", "no:randomly", "--no-header"]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=told, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is None or int(passed[1]) > 40


def test_a_misspelled_key_is_named(acme: Path) -> None:
    (acme / "acme.toml").write_text(block("toml title=acme.toml").replace("free_on", "fre_on"), "utf-8")
    with pytest.raises(InvalidInput, match="fre_on: unknown key; did you mean free_on"):
        read_spec(acme / "acme.toml")


def test_the_traps_of_rules_are_as_told() -> None:
    described = specs()["openai"]

    def told(rule: spec.Rule, status: int, body: Any) -> str:
        ruled = spec.Spec("x", "", "https://x.example", {}, (), described.out, mode="sync", rules=(rule,))
        verdict = classify(ruled, Reply(status, {}, json.dumps(body), body), "submit")
        return verdict.kind if verdict else ""

    broad = spec.Rule("moderation", status="422")
    assert told(broad, 422, {"error": "ratio is missing"}) == "moderation"
    anywhere = spec.Rule("moderation", status="400", match="content policy")
    assert told(anywhere, 400, {"error": "bad ratio", "prompt": "A poster: content policy"}) == "moderation"
    placed = spec.Rule("moderation", path="code", match="^policy$")
    assert told(placed, 400, {"code": "policy"}) == "moderation"
    assert told(placed, 200, {"code": "policy"}) == ""
    assert told(placed, 401, {"code": "policy"}) == "auth"
    statuses = {
        401: "auth",
        403: "auth",
        402: "balance",
        429: "rate_limit",
        418: "validation",
        500: "transient",
    }
    assert {status: told(placed, status, {}) for status in statuses} == statuses


# What the reference lists ------------------------------------------------------------------------------

SECTIONS = {
    "`[provider]`": spec.Spec,
    "`[provider.auth]`": spec.Auth,
    "`[provider.cancel]` and `[provider.check]`": spec.Call,
    "`[provider.out]`": spec.Out,
    "`[[provider.rule]]`": spec.Rule,
    "`[submit.t2i]` and `[submit.edit]`": spec.Submit,
    "`[[model]]`": spec.Model,
    "`[model.pixels]`": spec.Pixels,
    "`[model.tariff]`": spec.Tariff,
}


def listed(heading: str) -> tuple[list[str], set[str]]:
    """The keys in the table under a heading, and those in bold."""
    section = KEYS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = " ".join(re.findall(r"^\| ([^|]*`[^|]*) \|", section, re.MULTILINE))
    return re.findall(r"`(\w+)`", cells), set(re.findall(r"\*\*`(\w+)`\*\*", cells))


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_is_explained(heading: str) -> None:
    keys, needed = listed(heading)
    known = fields(SECTIONS[heading])
    assert sorted(keys) == sorted(one.name for one in known)
    required = {f.name for f in known if f.default is MISSING and f.default_factory is MISSING}
    assert needed == required


def test_no_table_of_keys_is_left_out() -> None:
    assert re.findall(r"^## (.*)$", KEYS, re.MULTILINE) == list(SECTIONS)


def test_what_a_body_may_hold_is_listed() -> None:
    text = PAGE.split("**A body is a template.**")[1].split("**A path says")[0]
    assert set(re.findall(r"`\$(\w+)`", text)) - {"name", "x"} == set(FIELDS)
    assert set(re.findall(r"`(@\w+)`", text)) == {*VALUE_HOOKS, *FILE_HOOKS}


def test_the_paths_of_the_page_find_what_it_says() -> None:
    text = PAGE.split("**A path says where an answer keeps something**")[1].split("\n\n")[0]
    words, first, every, others, inside = re.findall(r"`([^`]+[.{][^`]*)`", text)
    body: Any = {
        "error": {"message": "no"},
        "images": [{"url": "a"}, {"url": "b"}],
        "parts": [{"data": "draft", "draft": True}, {"data": "c"}],
        "info": '{"seed": 7}',
    }
    assert [find(body, path) for path in (words, first, every, others, inside)] == [
        ["no"],
        ["a"],
        ["a", "b"],
        ["c"],
        [7],
    ]


# The provider that is a class --------------------------------------------------------------------------


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
    results = [do(arguments) for arguments in commands("swatch")]
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
    *_, run = commands("swatch")
    do(run)
    again = do([*run, "--json"])
    outcomes = json.loads(again.stdout)["outcomes"]
    assert {row["outcome"]: row["now"] for row in outcomes} == {"ok": 0, "refused": 0, "failed": 0}


def test_a_wrong_model_is_refused_before_anything_is_planned(shop: Path) -> None:
    result = do(["run", "paints", "--system", "swatch:mat"])
    assert "unknown swatch finish 'mat'" in str(result.exception)
    assert not (shop / "evalkit-workspace" / "runs").exists()


@dataclass
class KilnAnswer:
    status: int = 200
    job: str = "k1"
    shelf: str = "shelf 7"
    tag: str = "trial"
    wait: float | None = None


@dataclass
class KilnClient:
    """What the class on the page talks to; `order` is what happened, in order."""

    answer: KilnAnswer | OSError
    order: list[str] = field(default_factory=list)

    async def fire(self, prompt: str, tag: str) -> KilnAnswer:
        self.order.append(f"fired {prompt} for {tag}")
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    async def collect(self, shelf: str) -> bytes:
        self.order.append(f"collected {shelf}")
        return b"picture"

    async def jobs(self, since: str, until: str) -> list[KilnAnswer]:
        self.order.append(f"looked from {since} to {until}")
        return [self.answer] if isinstance(self.answer, KilnAnswer) else []

    async def accepted(self, job: Job) -> None:
        self.order.append(f"recorded {job.id}")


def kiln(client: KilnClient) -> Any:
    names = {**vars(types), **vars(base), "Decimal": Decimal, "connect": lambda: client}
    exec(block("python title=kiln.py"), names)  # noqa: S102 - the page is ours
    made = names["Kiln"](System("kiln", "raku"))
    asyncio.run(made.prepare())
    return made


ASKED = Request("trial", "mugs", "c1", 0, "t2i", "a mug", "1:1", "raku", {})


def test_the_paid_class_records_a_job_before_it_waits() -> None:
    client = KilnClient(KilnAnswer())
    outcome = asyncio.run(kiln(client).generate(ASKED, client))
    assert outcome == Delivered((Picture(b"picture"),), price=Price(Decimal("0.03"), "reported"))
    assert client.order == ["fired a mug for trial", "recorded k1", "collected shelf 7"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ConnectionRefusedError(), Rejected("transient", "nobody answers the door")),
        (ConnectionResetError(), Unknown("the answer was lost", Price(Decimal("0.04"), "list"))),
        (KilnAnswer(502), Unknown("the answer was lost", Price(Decimal("0.04"), "list"))),
        (KilnAnswer(429, wait=3.0), Rejected("rate_limit", "the kiln is full", 3.0)),
    ],
)
def test_the_paid_class_sends_once(answer: Any, outcome: Any) -> None:
    client = KilnClient(answer)
    assert asyncio.run(kiln(client).generate(ASKED, client)) == outcome
    assert len(client.order) == 1


def test_the_paid_class_looks_for_a_lost_job() -> None:
    provider = kiln(KilnClient(KilnAnswer()))
    found = asyncio.run(provider.reconcile(ASKED, base.Lost("9:00", "9:05")))
    assert found == Job("k1", {"shelf": "shelf 7"})
    assert provider.quote(ASKED) == types.Quote(Decimal("0.03"), Decimal("0.04"), "list")
    assert (provider.lane, provider.limits) == ("kiln", base.Limits(2, 8))
    gone = kiln(KilnClient(KilnAnswer(tag="somebody else's")))
    assert asyncio.run(gone.reconcile(ASKED, base.Lost("9:00", "9:05"))) is None
    assert asyncio.run(provider.reconcile(ASKED, base.Lost("9:00", "9:05", ("k1",)))) is None
