"""One order, at most one job; what is proof and what is not; and nothing that is paid for is thrown away."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from loopserver import DROP, Asked, LoopServer, Said, png, serving

from evalkit.remote import polling
from evalkit.remote.catalog import Account
from evalkit.remote.engine import Engine
from evalkit.remote.spec import Auth, Call, Model, Order, Out, Rule, Spec, Submit, Tariff
from evalkit.types import Delivered, Failed, ImageInput, Job, Outcome, Price, Refused, Rejected, Unknown

KEY = "SENTINEL-KEY-0123456789"
WORST = Price(Decimal("0.20"), "list")
ROW = Model("paint", "t2i", max_n=4, tariff=Tariff(image=Decimal("0.10")))
BODY = {"prompt": "$prompt", "image": "$image", "n": "$n"}
MODERATION = Rule("moderation", path="error.type", match="policy", code="content_policy", stage="input")
QUEUE = Spec(
    "acme",
    "",
    "https://api.acme.example",
    {"t2i": Submit("/jobs", BODY), "edit": Submit("/jobs", BODY)},
    (ROW,),
    Out(
        images=("images[*].url",),
        flagged="flagged[*]",
        seed="seed",
        seconds="took",
        queued_at="at.queued",
        started_at="at.started",
        cost="cost",
        cost_unit=Decimal("0.01"),
    ),
    auth=Auth("X-Key", "{key}"),
    mode="async",
    deadline_header="X-Deadline",
    tag_header="X-Tags: trial={trial}",
    request_id_header="X-Request-Id",
    id="id",
    save={"status_url": "status_url"},
    poll=("{status_url}", "{base}/jobs/{id}"),
    result="{base}/jobs/{id}/result",
    cancel=Call("POST", "{base}/jobs/{id}/cancel"),
    state="status",
    states={"waiting": "queued", "working": "running", "done": "done", "failed": "failed", "void": "failed"},
    poll_interval=(0.01, 0.02),
    free_on=("void", "transient"),
    rules=(MODERATION, Rule("cancelled", status="200", path="error.type", match="cancelled")),
)
AT_ONCE = replace(QUEUE, mode="sync", id="", state="", states={}, poll=(), result="", cancel=None)
EITHER = replace(QUEUE, mode="auto", result="")


def order(n: int = 2, deadline: float = 5.0, **more: Any) -> Order:
    return Order("t-1", ROW, "paint", "t2i", "a mug", n=n, deadline=deadline, **more)


@dataclass
class Scene:
    """What came of one order, and everything on the way."""

    outcome: Outcome | Rejected
    server: LoopServer
    jobs: list[Job] = field(default_factory=list)
    polled_before_accepted: int = 0


def play(
    answer: Callable[[Asked], Said | str], spec: Spec = QUEUE, asked: Order | None = None, **more: Any
) -> Scene:
    async def scene() -> Scene:
        async with serving(answer) as server:
            engine = Engine(spec, Account(server.url, {}, KEY, moved=True), **more)
            jobs: list[Job] = []
            early = 0

            async def accepted(job: Job) -> None:
                nonlocal early
                early = len(server.paths("GET"))
                jobs.append(job)

            try:
                outcome = await engine.run(asked or order(), accepted)
            finally:
                await engine.aclose()
            return Scene(outcome, server, jobs, early)

    found = asyncio.run(scene())
    assert KEY not in repr(found.outcome) + repr(found.jobs)
    assert len(found.server.paths("POST")) - len(cancels(found.server)) <= 1
    files = [one for one in found.server.asked if one.path.startswith("/files")]
    assert all("x-key" not in one.headers for one in files)
    return found


def cancels(server: LoopServer) -> list[str]:
    return [path for path in server.paths("POST") if path.endswith("/cancel")]


@dataclass
class Acme:
    """A provider that keeps its promises, except where a test says otherwise; answers are used up."""

    submit: Said | str | None = None
    polls: Sequence[Said | str] = ()
    results: Sequence[Said | str] = ()
    images: Sequence[Any] = ("a", "b")
    file: Said | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Said | str:
        host = f"http://{asked.headers['host']}"
        if asked.path.startswith("/files"):
            return self.file or Said(200, png())
        if asked.method == "POST" and not asked.path.endswith("/cancel"):
            return self.submit or Said(202, {"id": "j1"}, {"X-Request-Id": "r1"})
        if asked.path.endswith("/result"):
            return _next(self, "results") or Said(200, self.answer(host))
        if asked.method == "GET":
            return _next(self, "polls") or Said(200, {"status": "done"})
        return Said(202, {})

    def answer(self, host: str) -> dict[str, Any]:
        urls = [{"url": f"{host}/files/{name}.png?sig=1" if name else name} for name in self.images]
        return {"images": urls, **self.more}


def _next(acme: Acme, name: str) -> Said | str | None:
    first, *rest = getattr(acme, name) or (None,)
    setattr(acme, name, rest)
    return first


def status(word: str, **more: Any) -> Said:
    return Said(200, {"status": word, **more})


NOTHING = [
    pytest.param(DROP, id="dropped"),
    pytest.param(Said(200, {"message": "fine"}), id="no id"),
    pytest.param(Said(200, {"id": ""}), id="empty id"),
    pytest.param(Said(200, {"id": None}), id="null id"),
    pytest.param(Said(200, b"<html>welcome</html>"), id="200 html"),
    pytest.param(Said(200, b'{"id": "j'), id="cut json"),
    pytest.param(Said(502, b"<html>nginx</html>"), id="502 html"),
    pytest.param(Said(500, {"error": {"type": "policy"}}), id="500"),
    pytest.param(Said(503, {}, {"Retry-After": "1"}), id="503"),
    pytest.param(Said(408, {}), id="408"),
    pytest.param(Said(409, {}), id="409"),
    pytest.param(Said(302, {}, {"Location": "/x"}), id="302"),
    pytest.param(Said(303, {}, {"Location": "/x"}), id="303"),
    pytest.param(Said(200, {"id": "j1"}, length=500), id="cut short"),
]


@pytest.mark.parametrize("said", NOTHING)
@pytest.mark.parametrize("spec", [QUEUE, EITHER, AT_ONCE], ids=["async", "auto", "sync"])
def test_no_proof_either_way_is_unknown_and_never_sent_again(said: Said | str, spec: Spec) -> None:
    scene = play(Acme(submit=said), spec)
    assert isinstance(scene.outcome, Unknown)
    assert scene.outcome.at_risk == WORST
    assert len(scene.server.asked) == 1
    assert scene.jobs == []


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (DROP, Failed("transient", "the answer was lost")),
        (Said(500, {"error": "CUDA out of memory"}), Failed("transient", "CUDA out of memory")),
        (
            Said(500, {"error": {"type": "policy", "message": "no"}}),
            Refused("no", "input", "content_policy"),
        ),
        (Said(503, {"error": "loading"}, {"Retry-After": "3"}), Rejected("transient", "loading", 3.0)),
        (
            Said(200, {"images": []}),
            Failed("no_image", "the request was taken (status 200) without a picture"),
        ),
    ],
)
def test_what_never_costs_anything_is_never_unknown(
    said: Said | str, outcome: Failed | Refused | Rejected
) -> None:
    free = replace(order(), model=replace(ROW, tariff=Tariff(free=True)))
    found = play(Acme(submit=said), AT_ONCE, free).outcome
    if said == DROP:
        assert isinstance(found, Failed)
        assert found.message.startswith("the answer was lost")
    else:
        assert found == outcome


@pytest.mark.parametrize(
    ("said", "kind", "after"),
    [
        (Said(429, {}, {"Retry-After": "7"}), "rate_limit", 7),
        (Said(401, {"error": f"no such key {KEY}"}), "auth", None),
        (Said(402, {}), "balance", None),
        (Said(403, b"<html>forbidden</html>"), "auth", None),
        (Said(404, {}), "validation", None),
        (Said(422, {"error": {"message": "prompt about the policy"}}), "validation", None),
        (Said(301, {}, {"Location": "/x"}), "permanent", None),
        (Said(307, {}, {"Location": "/x"}), "permanent", None),
        (Said(308, {}, {"Location": "/x"}), "permanent", None),
    ],
)
def test_proof_that_there_is_no_job(said: Said, kind: str, after: float | None) -> None:
    for spec in (QUEUE, AT_ONCE):
        outcome = play(Acme(submit=said), spec).outcome
        assert isinstance(outcome, Rejected)
        assert (outcome.kind, outcome.retry_after, outcome.hold) == (kind, after, False)


def test_only_statuses_that_the_description_lists_are_proof() -> None:
    careful = replace(QUEUE, rejects=(401,))
    assert isinstance(play(Acme(submit=Said(429, {})), careful).outcome, Unknown)
    assert isinstance(play(Acme(submit=Said(401, {})), careful).outcome, Rejected)


def test_a_balance_that_counts_what_is_in_flight() -> None:
    outcome = play(Acme(submit=Said(402, {})), replace(QUEUE, balance_in_flight=True)).outcome
    assert isinstance(outcome, Rejected)
    assert outcome.hold


def test_nobody_listening_is_proof() -> None:
    async def scene() -> Outcome | Rejected:
        engine = Engine(QUEUE, Account("http://127.0.0.1:9", {}, KEY))
        try:
            return await engine.run(order(), lambda job: asyncio.sleep(0))
        finally:
            await engine.aclose()

    outcome = asyncio.run(scene())
    assert isinstance(outcome, Rejected)
    assert outcome.kind == "transient"


@pytest.mark.parametrize(("spec", "stage"), [(QUEUE, "input"), (AT_ONCE, "input")])
def test_a_refusal_at_the_door(spec: Spec, stage: str) -> None:
    outcome = play(Acme(submit=Said(400, {"error": {"type": "policy", "message": "not that"}})), spec).outcome
    assert outcome == Refused("not that", "input", "content_policy", Price())


def test_a_refusal_of_what_was_made_may_be_billed() -> None:
    billed = replace(AT_ONCE, billed_on=("moderation",), rules=(replace(MODERATION, stage="output"),))
    said = Said(400, {"error": {"type": "policy", "message": "no"}})
    assert play(Acme(submit=said), billed).outcome == Refused("no", "output", "content_policy", WORST)
    at_the_door = replace(billed, rules=(MODERATION,))
    assert play(Acme(submit=said), at_the_door).outcome == Refused("no", "input", "content_policy")


def test_tokens_that_a_failure_reports_are_paid() -> None:
    tariff = Tariff(image_out=Decimal(40), usage={"image_out": "made"}, image_tokens=1000)
    spec = replace(QUEUE, out=replace(QUEUE.out, usage="usage"))
    asked = replace(order(), model=replace(ROW, tariff=tariff))
    failed = play(Acme(polls=[status("failed", usage={"made": 500})]), spec, asked).outcome
    assert isinstance(failed, Failed)
    assert failed.price == Price(Decimal("0.02"), "tokens")
    free = play(Acme(polls=[status("void", usage={"made": 500})]), spec, asked).outcome
    assert isinstance(free, Failed)
    assert free.price == Price()


def test_pictures_and_all_that_is_known_about_them() -> None:
    at = {"queued": "2026-01-01T00:00:00Z", "started": "2026-01-01T00:00:02.5Z"}
    acme = Acme(
        polls=[status("waiting"), status("working"), status("working"), status("done", took=1.5, at=at)],
        more={"seed": 7, "cost": 15},
    )
    scene = play(acme)
    assert isinstance(scene.outcome, Delivered)
    assert [picture.data for picture in scene.outcome.pictures] == [png(), png()]
    assert scene.outcome.wanted == 2
    assert scene.outcome.price == Price(Decimal("0.15"), "reported")
    assert scene.outcome.facts == {"request_id": "r1", "job": "j1", "seed": 7, "reported_cost": "15"}
    timings = scene.outcome.timings
    assert timings is not None
    assert (timings.provider, timings.provider_queue) == (1.5, 2.5)
    assert None not in (timings.submit, timings.queue, timings.run, timings.download, timings.poll)
    parts = (timings.submit, timings.queue, timings.run, timings.download)
    assert sum(part or 0 for part in parts) == pytest.approx(timings.total, abs=1e-3)
    assert scene.jobs == [Job("j1", {"request_id": "r1"})]
    assert scene.polled_before_accepted == 0
    submit = scene.server.asked[0]
    assert submit.json == {"prompt": "a mug", "n": 2}
    assert submit.headers["x-deadline"] == "5"
    assert submit.headers["x-tags"] == "trial=t-1"


def test_a_cost_told_at_acceptance_counts() -> None:
    scene = play(Acme(submit=Said(200, {"id": 17, "cost": 3.0})))
    assert isinstance(scene.outcome, Delivered)
    assert scene.outcome.price == Price(Decimal("0.03"), "reported")
    assert scene.jobs == [Job("17", {"reported_cost": "3.0"})]


@pytest.mark.parametrize(
    "trouble",
    [
        Said(500, {"error": {"type": "policy"}}),
        Said(502, b"<html>nginx</html>"),
        Said(200, b"<html>captive portal</html>"),
        Said(302, {}, {"Location": "/login"}),
        Said(429, {}, {"Retry-After": "0"}),
        Said(404, {}),
        Said(200, {}),
        DROP,
    ],
)
def test_a_paid_job_outlasts_trouble_on_the_way(trouble: Said | str) -> None:
    polls = [status("waiting"), trouble, status("working"), trouble, status("done")]
    assert isinstance(play(Acme(polls=polls)).outcome, Delivered)


@pytest.mark.parametrize(
    "trouble",
    [
        Said(502, b"<html/>"),
        Said(200, b"<html/>"),
        Said(302, {}, {"Location": "/login"}),
        Said(429, {"error": "slow down"}),
        DROP,
    ],
)
def test_a_result_is_asked_for_again_if_the_answer_was_not_the_providers(trouble: Said | str) -> None:
    assert isinstance(play(Acme(results=[trouble, trouble])).outcome, Delivered)


def test_a_result_that_is_not_there_yet() -> None:
    early = Said(400, {"detail": "Request is still in progress"})
    assert isinstance(play(Acme(results=[early])).outcome, Delivered)


@pytest.mark.parametrize(
    ("said", "kind", "price"),
    [
        (Said(500, {"error": {"message": "boom"}}), "transient", Price()),
        (Said(422, {"error": {"message": "too small"}}), "validation", WORST),
        (Said(422, {"error": {"message": "x"}, "cost": 0}), "validation", Price(Decimal(0), "reported")),
    ],
)
def test_a_stored_error_is_final(said: Said, kind: str, price: Price) -> None:
    scene = play(Acme(results=[said]))
    assert isinstance(scene.outcome, Failed)
    assert (scene.outcome.kind, scene.outcome.price, scene.outcome.retrievable) == (kind, price, False)
    assert len([path for path in scene.server.paths("GET") if path.endswith("/result")]) == 1


@pytest.mark.parametrize(
    ("spec", "price"), [(QUEUE, Price()), (replace(QUEUE, billed_on=("moderation",)), WORST)]
)
def test_a_refusal_in_the_result(spec: Spec, price: Price) -> None:
    said = Said(422, {"error": {"type": "policy", "message": "no"}})
    assert play(Acme(results=[said]), spec).outcome == Refused("no", "input", "content_policy", price)


def test_being_told_to_slow_down_for_ever_is_final() -> None:
    outcome = play(Acme(results=[Said(429, {"error": "limit"})] * 9)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.kind == "rate_limit"


@pytest.mark.parametrize(
    ("said", "kind", "price", "retrievable"),
    [
        (status("failed", error={"message": "boom"}), "permanent", WORST, False),
        (status("void"), "permanent", Price(), False),
        (status("failed", cost=4), "permanent", Price(Decimal("0.04"), "reported"), False),
        (status("done", error={"type": "cancelled"}), "cancelled", WORST, False),
        (status("BANANA"), "permanent", WORST, True),
        (Said(401, {}), "auth", WORST, True),
        (Said(400, {}), "validation", WORST, False),
    ],
)
def test_jobs_that_end_badly(said: Said, kind: str, price: Price, retrievable: bool) -> None:
    outcome = play(Acme(polls=[said])).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.price, outcome.retrievable) == (kind, price, retrievable)


def test_a_job_that_vanished() -> None:
    scene = play(Acme(polls=[status("waiting"), Said(404, {}), Said(404, {})]))
    assert isinstance(scene.outcome, Failed)
    assert (scene.outcome.kind, scene.outcome.price) == ("expired", WORST)
    gone = play(Acme(results=[Said(410, {})])).outcome
    assert isinstance(gone, Failed)
    assert gone.kind == "expired"


def test_a_status_url_of_somebody_else() -> None:
    foreign = Said(200, {"id": "j1", "status_url": "https://evil.example/jobs/j1"})
    scene = play(Acme(submit=foreign))
    assert isinstance(scene.outcome, Failed)
    assert scene.outcome.kind == "permanent"
    assert "refusing to send credentials to evil.example" in scene.outcome.message
    assert scene.server.paths("GET") == []


def test_the_url_that_the_provider_gives_is_the_one_that_is_asked() -> None:
    def answer(asked: Asked) -> Said | str:
        if asked.path == "/jobs":
            return Said(200, {"id": "j1", "status_url": f"http://{asked.headers['host']}/eu/j1"})
        return Acme()(asked)

    assert play(answer).server.paths("GET")[0] == "/eu/j1"


def test_past_the_deadline_it_is_cancelled_and_looked_at_once_more() -> None:
    scene = play(Acme(polls=[status("waiting")] * 999), asked=order(deadline=0.2))
    assert isinstance(scene.outcome, Failed)
    assert (scene.outcome.kind, scene.outcome.price, scene.outcome.retrievable) == ("timeout", WORST, True)
    assert cancels(scene.server) == ["/jobs/j1/cancel"]
    assert scene.server.asked[-1].path == "/jobs/j1"


def test_done_at_the_last_look_is_done() -> None:
    late = Acme()

    def answer(asked: Asked) -> Said | str:
        done = bool(cancelled)
        if asked.path.endswith("/cancel"):
            cancelled.append(asked)
        return status("done" if done else "working") if asked.path == "/jobs/j1" else late(asked)

    cancelled: list[Asked] = []
    assert isinstance(play(answer, asked=order(deadline=0.1)).outcome, Delivered)


def test_a_cancelled_job_that_costs_nothing() -> None:
    def answer(asked: Asked) -> Said | str:
        if asked.path.endswith("/cancel"):
            cancelled.append(asked)
        return status("void" if cancelled else "working") if asked.path == "/jobs/j1" else Acme()(asked)

    cancelled: list[Asked] = []
    outcome = play(answer, asked=order(deadline=0.1)).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.price, outcome.retrievable) == ("timeout", Price(), False)


def test_a_result_that_never_comes_can_be_asked_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "GRACE_S", 0.1)
    outcome = play(Acme(results=[Said(502, b"<html/>")] * 999), asked=order(deadline=0.1)).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retrievable) == ("timeout", True)
    assert "HTTP 502" in outcome.message


def test_fewer_pictures_than_asked() -> None:
    for images in (["a"], ["a", ""], ["", "a"]):
        outcome = play(Acme(images=images)).outcome
        assert isinstance(outcome, Delivered)
        assert (len(outcome.pictures), outcome.wanted) == (1, 2)
        assert outcome.price == Price(Decimal("0.10"), "list")


def test_flagged_pictures_are_left_out() -> None:
    outcome = play(Acme(more={"flagged": [True, False]})).outcome
    assert isinstance(outcome, Delivered)
    assert len(outcome.pictures) == 1
    assert outcome.facts["flagged"] == 1
    assert outcome.price == WORST
    every = play(Acme(more={"flagged": [True, True]})).outcome
    assert isinstance(every, Refused)
    assert (every.stage, every.code, every.price) == ("output", "flagged", WORST)
    reverse = replace(QUEUE, out=replace(QUEUE.out, unsafe_when=False))
    assert isinstance(play(Acme(more={"flagged": [True, True]}), reverse).outcome, Delivered)


def test_flagged_pictures_that_have_no_url() -> None:
    some = play(Acme(images=[None, "b"], more={"flagged": [True, False]})).outcome
    assert isinstance(some, Delivered)
    assert (len(some.pictures), some.facts["flagged"]) == (1, 1)
    said = Said(200, {"images": [{"url": None}], "flagged": [True]})
    for spec in (AT_ONCE, EITHER):
        none = play(Acme(submit=said), spec).outcome
        assert isinstance(none, Refused)
        assert (none.stage, none.code) == ("output", "flagged")


@pytest.mark.parametrize("images", [[], ["", ""], [None]])
def test_done_without_a_picture(images: list[Any]) -> None:
    outcome = play(Acme(images=images)).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.price) == ("no_image", WORST)


@pytest.mark.parametrize(
    ("file", "kind", "retrievable"),
    [(Said(403, b"expired"), "expired", False), (Said(400, b"what"), "download", True)],
)
def test_a_download_that_fails_is_still_paid(file: Said, kind: str, retrievable: bool) -> None:
    outcome = play(Acme(file=file)).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.price, outcome.retrievable) == (kind, WORST, retrievable)
    assert "sig=" not in outcome.message


def as_data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_an_answer_at_once() -> None:
    said = Said(200, {"images": [{"url": as_data_uri(png(1))}, {"url": as_data_uri(png(2))}]})
    for spec in (AT_ONCE, EITHER):
        scene = play(Acme(submit=said), spec)
        assert isinstance(scene.outcome, Delivered)
        assert [picture.data for picture in scene.outcome.pictures] == [png(1), png(2)]
        assert scene.jobs == []
        assert scene.outcome.timings is not None
        assert scene.outcome.timings.queue is None
    sheet = Said(200, {"images": [{"url": as_data_uri(png(shade))} for shade in (0, 1, 2)]})
    last = play(Acme(submit=sheet), AT_ONCE).outcome
    assert isinstance(last, Delivered)
    assert [picture.data for picture in last.pictures] == [png(1), png(2)]


def test_either_way() -> None:
    poll = [status("done", images=[{"url": as_data_uri(png(3))}])]
    scene = play(Acme(polls=poll), EITHER)
    assert isinstance(scene.outcome, Delivered)
    assert len(scene.jobs) == 1


def test_a_refusal_with_status_200() -> None:
    said = Said(200, {"error": {"type": "policy", "message": "no"}, "images": [{"url": as_data_uri(png())}]})
    rule = replace(MODERATION, status="200")
    assert play(Acme(submit=said), replace(AT_ONCE, rules=(rule,))).outcome == Refused(
        "no", "input", "content_policy", Price()
    )


def test_a_picture_in_the_answer_that_is_broken() -> None:
    outcome = play(Acme(submit=Said(200, {"images": [{"url": as_data_uri(png()[:60])}]})), AT_ONCE).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retrievable) == ("download", False)


def source(data: bytes) -> ImageInput:
    return ImageInput(data, "0" * 64, 24, 24)


def test_source_pictures_travel_inside() -> None:
    edit = replace(order(), task="edit", images=(source(png()),), model=replace(ROW, task="edit"))
    scene = play(Acme(), asked=edit)
    assert isinstance(scene.outcome, Delivered)
    assert scene.server.asked[0].json["image"] == as_data_uri(png())


@pytest.mark.parametrize(
    ("said", "kind"), [(Said(500, {}), "transient"), (DROP, "transient"), (Said(401, {}), "auth")]
)
def test_an_upload_that_fails_is_proof_that_there_is_no_job(said: Said | str, kind: str) -> None:
    edit = replace(order(), task="edit", images=(source(png()),), model=replace(ROW, task="edit"))
    uploads = replace(QUEUE, upload="replicate", inline_limit=0)
    scene = play(lambda asked: said if asked.path == "/v1/files" else DROP, uploads, edit)
    assert isinstance(scene.outcome, Rejected)
    assert scene.outcome.kind == kind
    assert scene.server.paths("POST") == ["/v1/files"]


def test_a_webhook_is_named_where_the_provider_wants_it() -> None:
    hooked = replace(QUEUE, webhook_query="hook", webhook_header="X-Hook")
    scene = play(Acme(), hooked, webhook="https://bench.example/hooks/acme")
    asked = scene.server.asked[0]
    assert asked.path == "/jobs?hook=https%3A%2F%2Fbench.example%2Fhooks%2Facme"
    assert asked.headers["x-hook"] == "https://bench.example/hooks/acme"


def test_what_a_webhook_brings_into_the_body() -> None:
    besides = {"hook": "$webhook", "secret": "$webhook_secret", "events": ["completed"]}
    hooked = replace(QUEUE, webhook_body=besides)
    scene = play(Acme(), hooked, webhook="https://bench.example/hooks/acme")
    body = json.loads(scene.server.asked[0].body)
    assert (body["hook"], body["events"]) == ("https://bench.example/hooks/acme", ["completed"])
    assert "secret" not in body, "none is set"
    assert not besides.keys() & json.loads(play(Acme(), hooked).server.asked[0].body).keys()


def test_hints_only_make_it_look_earlier() -> None:
    class Hints:
        def __init__(self) -> None:
            self.waits: list[tuple[str, float]] = []

        async def wait(self, job_id: str, seconds: float) -> bool:
            self.waits.append((job_id, seconds))
            return True

    hints = Hints()
    scene = play(Acme(polls=[status("waiting"), status("working")]), hints=hints)
    assert isinstance(scene.outcome, Delivered)
    assert [job for job, _ in hints.waits] == ["j1"] * 3


def resume(answer: Callable[[Asked], Said | str], job: Job, spec: Spec = QUEUE) -> tuple[Outcome, LoopServer]:
    async def scene() -> tuple[Outcome, LoopServer]:
        async with serving(answer) as server:
            engine = Engine(spec, Account(server.url, {}, KEY, moved=True))
            try:
                return await engine.resume(order(), job), server
            finally:
                await engine.aclose()

    return asyncio.run(scene())


def test_resuming_asks_for_the_end_and_sends_nothing() -> None:
    outcome, server = resume(Acme(), Job("j1", {"reported_cost": "2", "request_id": "r0"}))
    assert isinstance(outcome, Delivered)
    assert outcome.timings is None
    assert outcome.facts["resumed"] is True
    assert outcome.facts["request_id"] == "r0"
    assert outcome.price == Price(Decimal("0.02"), "reported")
    assert server.paths("POST") == []


def test_a_price_that_nobody_knows_any_more_ends_no_job() -> None:
    asked = replace(order(), model=replace(ROW, tariff=Tariff()))
    outcome = play(Acme(polls=[status("failed")]), asked=asked).outcome
    assert isinstance(outcome, Failed)
    assert outcome.price == Price()


def test_a_job_of_which_only_the_id_is_known() -> None:
    def answer(asked: Asked) -> Said | str:
        if asked.path == "/jobs/j1":
            return status("done", result_url=f"http://{asked.headers['host']}/jobs/j1/result")
        return Acme()(asked)

    spec = replace(
        QUEUE, save={"status_url": "status_url", "result_url": "result_url"}, result="{result_url}"
    )
    outcome, server = resume(answer, Job("j1"), spec)
    assert isinstance(outcome, Delivered)
    assert server.paths("GET")[:2] == ["/jobs/j1", "/jobs/j1/result"]
    lost, _ = resume(Acme(), Job("j1"), spec)
    assert isinstance(lost, Failed)
    assert (lost.kind, lost.retrievable) == ("permanent", True)


def test_resuming_a_job_that_is_gone() -> None:
    outcome, server = resume(lambda asked: Said(404, {}), Job("j1"))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "expired"
    assert server.paths("POST") == []


@pytest.mark.parametrize(
    ("model", "name"),
    [("microsoft/mai-image-2.5/edit", "microsoft/mai-image-2.5"), ("fal-ai/flux", "fal-ai/flux"), ("x", "x")],
)
def test_the_queue_of_an_endpoint(model: str, name: str) -> None:
    assert polling.owner_app(model) == name
