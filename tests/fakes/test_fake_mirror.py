"""Descriptions mirrored: the engine that reads a description, over a server that was made from it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evalkit.fakes import FakeServer
from evalkit.fakes.endings import ending
from evalkit.fakes.writing import Clash, sample, write, write_free
from evalkit.remote.accounts import account
from evalkit.remote.catalog import specs
from evalkit.remote.engine import Engine
from evalkit.remote.paths import find
from evalkit.remote.spec import Model, Order, Out, Rule, Spec, Submit, Tariff
from evalkit.types import Delivered, Failed, ImageInput, Job, Outcome, Refused, Rejected, Task, Unknown

MIRRORED = sorted(set(specs()) - {"each", "local"})
"""Those whose requests need neither an upload first nor a URL as their model."""
JOBS = [name for name in MIRRORED if specs()[name].mode != "sync"]
FILTERED = [name for name in MIRRORED if any(rule.kind == "moderation" for rule in specs()[name].rules)]


@pytest.fixture(scope="module")
def mirror() -> Iterator[FakeServer]:
    with FakeServer(specs=specs().values(), polls=2, side=64) as server:
        yield server


@dataclass
class Scene:
    outcome: Outcome | Rejected
    billed: int
    jobs: list[Job] = field(default_factory=list)

    @property
    def delivered(self) -> Delivered:
        assert isinstance(self.outcome, Delivered), self.outcome
        return self.outcome


def first_row(spec: Spec, task: Task = "t2i") -> Model:
    rows = [row for row in spec.models if row.task == task and not row.gone]
    row = next((row for row in rows if row.id != "*"), rows[0])
    return row if row.id != "*" else replace(row, id="someone/model")


def play(server: FakeServer, spec: Spec, prompt: str, task: Task = "t2i", **more: Any) -> Scene:
    """One order through the real engine."""
    row = first_row(spec, task)
    own = account(spec, more.pop("environ", server.environment()))
    asked: dict[str, Any] = {"deadline": 5.0, "width": 64, "height": 64, "aspect_ratio": "1:1", **more}
    order = Order("t-1", row, row.id, task, prompt, **asked)
    scene = Scene(Rejected("permanent", "not asked yet"), len(server.ledger()))

    async def ask() -> None:
        engine = Engine(spec, own, assumed=Decimal("0.05"))

        async def accepted(job: Job) -> None:
            scene.jobs.append(job)

        try:
            scene.outcome = await engine.run(order, accepted)
        finally:
            await engine.aclose()

    asyncio.run(ask())
    scene.billed = len(server.ledger()) - scene.billed
    return scene


def picture(width: int = 40, height: int = 30) -> ImageInput:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return ImageInput(out.getvalue(), "0" * 64, width, height)


# The catalogue's own descriptions ----------------------------------------------------------------------


@pytest.mark.parametrize("name", MIRRORED)
def test_a_picture(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox")
    with Image.open(io.BytesIO(scene.delivered.pictures[0].data)) as image:
        assert max(image.size) == 64
    assert scene.billed == 1
    assert len(scene.jobs) == (name in JOBS)
    assert mirror.ledger()[-1].prompt == "A red fox"


@pytest.mark.parametrize("name", [name for name in MIRRORED if "edit" in specs()[name].submit])
def test_an_edit(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "Make it snow", "edit", images=(picture(),))
    assert scene.delivered.pictures
    assert scene.billed == 1


@pytest.mark.parametrize("name", [n for n in MIRRORED if first_row(specs()[n]).max_n >= 3])
def test_three_pictures(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox", n=3)
    assert len({shown.data for shown in scene.delivered.pictures}) == 3
    assert mirror.ledger()[-1].n == 3


@pytest.mark.parametrize("name", FILTERED)
def test_moderation_is_a_refusal(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox [[end:moderation]]")
    assert isinstance(scene.outcome, Refused), scene.outcome


@pytest.mark.parametrize("name", MIRRORED)
def test_too_many_requests(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox [[submit:429,ra=7]]")
    assert isinstance(scene.outcome, Rejected)
    assert (scene.outcome.kind, scene.outcome.retry_after) == ("rate_limit", 7)
    assert scene.billed == 0


@pytest.mark.parametrize("name", MIRRORED)
def test_the_money_is_gone(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox [[submit:quota]]")
    assert isinstance(scene.outcome, Rejected)
    assert scene.outcome.kind == "balance"


@pytest.mark.parametrize("name", MIRRORED)
@pytest.mark.parametrize("fault", ["drop_after", "html", "badjson"])
def test_a_lost_answer(mirror: FakeServer, name: str, fault: str) -> None:
    scene = play(mirror, specs()[name], f"A red fox [[submit:{fault}]]")
    free = first_row(specs()[name]).tariff.free
    assert isinstance(scene.outcome, Failed if free else Unknown), scene.outcome
    assert scene.billed == (fault != "html")


@pytest.mark.parametrize("name", MIRRORED)
def test_an_acceptance_that_names_nothing(mirror: FakeServer, name: str) -> None:
    spec = specs()[name]
    scene = play(mirror, spec, "A red fox [[submit:noid]]")
    assert isinstance(scene.outcome, Failed if first_row(spec).tariff.free else Unknown), scene.outcome
    assert scene.billed == 1


@pytest.mark.parametrize("name", [name for name in MIRRORED if not specs()[name].auth.optional])
def test_another_key_is_refused(mirror: FakeServer, name: str) -> None:
    spec = specs()[name]
    there = mirror.environment() | {entry.split(":")[0]: "somebody-else" for entry in spec.env}
    taken = play(mirror, spec, "A red fox", environ=there).outcome
    assert isinstance(taken, Rejected)
    assert taken.kind == "auth"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_is_stuck(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox [[poll:stuck]]", deadline=0.1)
    assert isinstance(scene.outcome, Failed)
    assert scene.outcome.kind == "timeout"
    cancels = [seen for seen in mirror.requests() if scene.jobs[0].id in seen.path and seen.method != "GET"]
    assert len(cancels) == (1 if specs()[name].cancel else 0)


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("end:fail", "permanent|transient"), ("poll:unknown", "permanent"), ("poll:vanish", "expired"),
     ("result:noimages", "no_image"), ("dl:404", "expired")],
)  # fmt: skip
def test_jobs_that_end_badly(mirror: FakeServer, name: str, fault: str, kind: str) -> None:
    scene = play(mirror, specs()[name], f"A red fox [[{fault}]]")
    assert isinstance(scene.outcome, Failed)
    assert scene.outcome.kind in kind.split("|")
    assert scene.billed == 1


@pytest.mark.parametrize("name", [n for n in JOBS if specs()[n].save])
def test_a_url_elsewhere_gets_no_key(mirror: FakeServer, name: str) -> None:
    scene = play(mirror, specs()[name], "A red fox [[poll:foreign]]")
    assert isinstance(scene.outcome, Failed)
    assert "refusing to send credentials" in scene.outcome.message


def test_what_a_description_reads_is_said(mirror: FakeServer) -> None:
    fal = play(mirror, specs()["fal"], "A red fox").delivered
    assert isinstance(fal.facts["seed"], int)
    assert fal.facts["units"] == "1"
    assert play(mirror, specs()["bfl"], "A red fox", seed=5).delivered.facts["seed"] == 5
    each = replace(specs()["each"], upload="")
    assert play(mirror, each, "A red fox").delivered.price.basis == "reported"
    gemini = play(mirror, specs()["gemini"], "A red fox").delivered
    assert gemini.price.basis == "tokens"
    assert gemini.timings is not None


# A description of nobody -------------------------------------------------------------------------------

ACME = Spec(
    "acme-lab",
    "",
    "/v9",
    {
        "t2i": Submit("/make", {"what": {"words": "$prompt", "model": "$$x"}, "size": "@size", "k": "$n"}),
        "edit": Submit("/change", {"words": "$prompt", "file": "@files"}, multipart=True),
    },
    (
        Model("one", "t2i", max_n=4, tariff=Tariff(image=Decimal("0.10"))),
        Model("one", "edit", images=(1, 1), tariff=Tariff(image=Decimal("0.10"))),
    ),
    Out(images=("out{}.all[*].b64",), flagged="out{}.bad[*]", unsafe_when=False, cost="bill"),
    base_env="ACME_LAB_URL",
    env=("ACME_ID:ACME_SECRET",),
    id="job.id",
    save={"ticket": "job.ticket"},
    poll=("{base}/state?of={ticket}",),
    result="{base}/jobs/{id}/out",
    state="job.is",
    states={"wait": "queued", "ready": "done", "bad": "failed", "cancelled": "failed"},
    rules=(
        Rule("moderation", status="200", path="job.why", match=r"^E-(451|452)\b"),
        Rule("validation", phase="result", status="4xx", header="x-why", match="shape|size"),
        Rule("timeout", phase="result", status="504", match="too (slow|late)"),
        Rule("transient", phase="poll", path="job.code", match="^50[23]$"),
    ),
)


@pytest.fixture(scope="module")
def acme() -> Iterator[FakeServer]:
    with FakeServer(specs=[ACME], polls=2) as server:
        yield server


def test_it_is_moved_and_keyed_with_the_others(acme: FakeServer) -> None:
    there = acme.environment()
    assert there["EVALKIT_ACME_LAB_BASE"] == f"{acme.url}/acme-lab"
    assert there["ACME_ID"] == "SENTINEL-KEY-acme-lab"
    assert there["ACME_SECRET"]
    assert there["EVALKIT_FAL_BASE"] == f"{acme.url}/fal"
    assert account(ACME, there).base == f"{acme.url}/acme-lab/v9"


def test_pictures_in_a_text_and_a_job_in_a_query(acme: FakeServer) -> None:
    scene = play(acme, ACME, "A red fox", n=2, width=48, height=32)
    first, second = scene.delivered.pictures
    with Image.open(io.BytesIO(first.data)) as image:
        assert image.size == (48, 32)
    assert first.data != second.data
    assert scene.delivered.price.usd == Decimal("0.20")
    polls = [seen.path for seen in acme.requests() if "/state" in seen.path]
    assert polls[-1] == f"/acme-lab/v9/state?of={scene.jobs[0].id}"


def test_a_form_with_a_file(acme: FakeServer) -> None:
    scene = play(acme, ACME, "Make it snow", "edit", images=(picture(),))
    with Image.open(io.BytesIO(scene.delivered.pictures[0].data)) as image:
        assert image.size == (40, 30)


def test_a_flagged_picture(acme: FakeServer) -> None:
    scene = play(acme, ACME, "A red fox [[end:nsfw]]")
    assert isinstance(scene.outcome, Refused)
    assert scene.outcome.code == "flagged"


@pytest.mark.parametrize(
    ("end", "kind"),
    [("validation", "validation"), ("timeout", "timeout"), ("error", "transient"), ("fail", "permanent")],
)
def test_endings_by_the_rule_of_their_kind(acme: FakeServer, end: str, kind: str) -> None:
    scene = play(acme, ACME, f"A red fox [[end:{end}]]")
    assert isinstance(scene.outcome, Failed)
    assert scene.outcome.kind == kind


def test_a_refusal_by_its_rule(acme: FakeServer) -> None:
    scene = play(acme, ACME, "A red fox [[end:moderation]]")
    assert isinstance(scene.outcome, Refused)
    assert scene.outcome.code == "E-451"


@pytest.mark.parametrize("path", ["out[*].url", "out.url", "out[0]", "out"])
def test_a_rule_for_what_is_not_there(path: str) -> None:
    spec = replace(ACME, mode="sync", rules=(Rule("moderation", status="200", path=path, absent=True),))
    found = ending(spec, "moderation", ["submit"])
    assert found.status == 200
    assert find(found.body, path) in ([], [{}])


def test_without_a_rule_a_refusal_is_not_known_as_one(acme: FakeServer) -> None:
    silent = replace(ACME, name="silent", rules=())
    with FakeServer(specs=[silent], polls=1) as server:
        scene = play(server, silent, "A red fox [[end:moderation]]")
    assert isinstance(scene.outcome, Failed)
    assert "safety system" in scene.outcome.message


def test_a_mistake_in_the_description_goes_unnoticed() -> None:
    """What the mirror cannot do, so that nobody relies on it."""
    wrong = replace(ACME, name="wrong", out=Out(images=("no.such.place[*].url",)))
    with FakeServer(specs=[wrong], polls=1) as server:
        assert play(server, wrong, "A red fox").delivered.pictures


def test_an_answer_that_cannot_be_built_says_so() -> None:
    torn = replace(ACME, name="torn", result="", out=Out(images=("job.is[*].url",)))
    with FakeServer(specs=[torn], polls=1) as server:
        scene = play(server, torn, "A red fox")
    assert isinstance(scene.outcome, Failed)
    assert "in one answer" in scene.outcome.message


def test_a_request_it_cannot_read(acme: FakeServer) -> None:
    url = account(ACME, acme.environment()).base + "/make"
    key = {"Authorization": "Bearer SENTINEL-KEY-acme-lab"}
    with httpx.Client(trust_env=False) as client:
        answers = [
            client.post(url, headers=key, content=b"{"),
            client.post(url, headers=key, json={}),
            client.post(url, headers=key, json={"what": {"words": "x"}, "k": 9}),
            client.post(url, json={"what": {"words": "x"}}),
        ]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 401]
    assert "prompt is required" in answers[1].json()["error"]["message"]
    assert "from 1 to 4" in answers[2].json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '{"what": []}',
        '{"what": {"words": ["x"]}}',
        '{"what": {"words": "x"}, "k": "many"}',
        '{"what": {"words": "x"}, "size": {"a": 1}}',
        '{"what": {"words": "x"}, "size": "9x99999"}',
        '{"what": null, "k": null}',
    ],
)
def test_nonsense_is_turned_away(acme: FakeServer, body: str) -> None:
    headers = {"Authorization": "Bearer SENTINEL-KEY-acme-lab"}
    billed = len(acme.ledger())
    with httpx.Client(trust_env=False) as client:
        answer = client.post(account(ACME, acme.environment()).base + "/make", headers=headers, content=body)
    assert answer.status_code == 400, answer.text
    assert len(acme.ledger()) == billed


# The writer --------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "data", "url"])
STEPS = st.lists(
    st.one_of(NAMES.map(lambda n: f".{n}"), st.just("[*]"), st.just("[?!draft]"), st.just("[2]")), max_size=4
)


@settings(max_examples=150, deadline=None)
@given(first=NAMES, rest=STEPS, values=st.lists(st.integers(), min_size=1, max_size=3))
def test_what_is_written_is_found(first: str, rest: list[str], values: list[int]) -> None:
    path = first + "".join(rest)
    many = "[*]" in rest or "[?!draft]" in rest
    assert find(write(None, path, values), path) == (values if many else values[:1])


def test_writing_into_json_in_a_text() -> None:
    body = write(write(None, "info{}.seeds[*]", [1, 2]), "info{}.hash", ["x"])
    assert isinstance(body, dict)
    assert json.loads(str(body["info"])) == {"seeds": [1, 2], "hash": "x"}


def test_nothing_is_overwritten_by_something_else() -> None:
    body = {"data": {"status": "done"}}
    with pytest.raises(Clash):
        write(body, "data[*].url", ["x"])
    assert write_free(body, ["data.status", "data[*].url", "note"], ["x"]) == {**body, "note": "x"}
    assert body == {"data": {"status": "done"}}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("", "x"),
        ("^(request|startup)_timeout$", "request_timeout"),
        (r"\bnsfw\b|safety", "nsfw"),
        ("content.?filter", "contentfilter"),
        (r"^E-\d+\.[ab]$", "E-1.a"),
        ("(?!x)x", None),
    ],
)
def test_a_text_for_a_pattern(pattern: str, text: str | None) -> None:
    assert sample(pattern) == text


def test_every_rule_of_the_catalogue_has_a_text() -> None:
    rules = [rule for spec in specs().values() for rule in spec.rules]
    assert [rule.match for rule in rules if sample(rule.match) is None] == []


def test_base64_is_base64(mirror: FakeServer) -> None:
    spec = specs()["openai"]
    base = account(spec, mirror.environment()).base
    body = {"model": first_row(spec).id, "prompt": "A red fox", "size": "64x64"}
    headers = {"Authorization": "Bearer SENTINEL-KEY-openai"}
    with httpx.Client(trust_env=False) as client:
        answer = client.post(base + spec.submit["t2i"].path, headers=headers, json=body)
    assert base64.b64decode(answer.json()["data"][0]["b64_json"]).startswith(b"\x89PNG")
