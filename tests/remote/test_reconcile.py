from __future__ import annotations

import asyncio
import base64
import hashlib
import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from evalkit.clock import now
from evalkit.fakes.server import FakeServer
from evalkit.remote.body import fill
from evalkit.remote.catalog import account, specs
from evalkit.remote.classify import Reply
from evalkit.remote.paths import find
from evalkit.remote.reconcile import RECONCILERS
from evalkit.remote.spec import Model, Order, Out, Spec, Submit
from evalkit.remote.transport import Lost, NotSent, Transport
from evalkit.types import ImageInput, Job, Json

SINCE, UNTIL = "2026-11-20T10:00:00.000000Z", "2026-11-20T10:02:00.000000Z"
DURING = "2026-11-20T10:01:00Z"


def picture(colour: str) -> ImageInput:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    data = file.getvalue()
    return ImageInput(data, hashlib.sha256(data).hexdigest(), 8, 8)


RED, BLUE = picture("red"), picture("blue")
T2I: dict[str, Json] = {
    "prompt": "$prompt",
    "num_images": "$n",
    "aspect_ratio": "$aspect_ratio",
    "*": "$params",
}
EDIT: dict[str, Json] = {
    "prompt": "$prompt",
    "image_urls": "$images",
    "mask_url": "$mask",
    "num_images": "$n",
}
MODEL = Model("maker/model", "t2i")
FAL = Spec("fal", "", "https://api.example", {"t2i": Submit("", T2I), "edit": Submit("", EDIT)}, (), Out())
EACH = replace(
    FAL,
    name="each",
    submit={task: Submit("", {"model": "$model", "input": part.body}) for task, part in FAL.submit.items()},
)
ORDER = Order("t1", MODEL, "maker/model", "t2i", "a red fox", n=1, aspect_ratio="16:9")
INPUT: dict[str, Json] = {"prompt": "a red fox", "num_images": 1, "aspect_ratio": "16:9"}

Answer = Callable[[str, dict[str, str]], "Json | Reply | Exception"]


@dataclass
class Line:
    """A transport that asks a function."""

    spec: Spec
    answer: Answer
    loopback: bool = False
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def send(self, method: str, url: str, **options: Any) -> Reply:
        assert method == "GET"
        assert options.get("authorized", True)
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query))
        answer = self.answer(parts.path, query)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(200, {}, json.dumps(answer), answer)

    def resolve(self, template: str, values: Mapping[str, str]) -> str | None:
        return template.format(base="https://api.example", api="https://api.example", **values)


def sent(job: str, given: Json = None, when: Json = DURING) -> dict[str, Json]:
    return {"request_id": job, "sent_at": when, "json_input": INPUT if given is None else given}


def ask_fal(
    *items: Json, order: Order = ORDER, known: tuple[str, ...] = (), loopback: bool = False
) -> Job | None:
    line = Line(FAL, lambda path, query: {"items": list(items), "next_cursor": None}, loopback)
    return asyncio.run(RECONCILERS["fal_by_endpoint"](line, order, SINCE, UNTIL, known))


def test_fal_finds_the_only_request_that_asked_the_same() -> None:
    others = [sent("b", {**INPUT, "prompt": "a red wolf"}), sent("c", {**INPUT, "aspect_ratio": "1:1"})]
    assert ask_fal(*others, sent("a")) == Job("a")


def test_fal_is_asked_for_one_endpoint_and_one_window() -> None:
    line = Line(FAL, lambda path, query: {"items": []})
    assert asyncio.run(RECONCILERS["fal_by_endpoint"](line, ORDER, SINCE, UNTIL)) is None
    ((path, query),) = line.asked
    assert path == "/v1/models/requests/by-endpoint"
    assert query["endpoint_id"] == "maker/model"
    assert query["expand"] == "payloads"
    assert query["start"] == "2026-11-20T09:59:30Z"
    assert query["end"] >= "2026-11-20T10:02:30Z"


def test_two_that_asked_the_same_are_nobodys() -> None:
    assert ask_fal(sent("a"), sent("b")) is None
    assert ask_fal(sent("a"), sent("a")) == Job("a")


def test_jobs_that_belong_to_other_trials_are_passed_over() -> None:
    assert ask_fal(sent("a"), sent("b"), known=("b",)) == Job("a")
    assert ask_fal(sent("a"), known=("a",)) is None


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("2026-11-20T09:59:29Z", False),
        ("2026-11-20T09:59:31Z", True),
        ("2026-11-20T11:02:29+01:00", True),
        ("2026-11-20T10:01:00.123456", True),
        ("2026-11-20T10:02:31Z", False),
        ("yesterday", False),
        (None, False),
        (1763632860, False),
    ],
)
def test_only_what_was_sent_in_the_window_counts(when: Json, found: bool) -> None:
    assert (ask_fal(sent("a", when=when)) == Job("a")) is found


@pytest.mark.parametrize(
    "given",
    [
        {**INPUT, "guidance": 7},
        {**INPUT, "num_images": 2},
        {**INPUT, "num_images": True},
        {"prompt": "a red fox", "num_images": 1},
        {**INPUT, "prompt": None},
        "a red fox",
        [INPUT],
    ],
)
def test_a_request_that_differs_in_anything_is_another(given: Json) -> None:
    assert ask_fal(sent("a", given)) is None


def test_empty_defaults_make_no_difference() -> None:
    assert ask_fal(sent("a", {**INPUT, "seed": None, "loras": [], "negative_prompt": ""})) == Job("a")


def test_a_lost_payload_is_no_match() -> None:
    assert ask_fal({"request_id": "a", "sent_at": DURING}) is None
    assert ask_fal({"request_id": "a", "sent_at": DURING, "json_input": None}) is None


def uri(image: ImageInput) -> str:
    return f"data:image/png;base64,{base64.b64encode(image.data).decode()}"


CHANGE = replace(
    ORDER,
    model=replace(MODEL, task="edit"),
    task="edit",
    prompt="remove the fox",
    images=(RED,),
    aspect_ratio="",
)


def edit(*urls: str, **more: Json) -> dict[str, Json]:
    return {"prompt": "remove the fox", "image_urls": list(urls), "num_images": 1, **more}


def test_the_pictures_have_to_be_the_same_to_the_byte() -> None:
    assert ask_fal(sent("a", edit(uri(RED))), sent("b", edit(uri(BLUE))), order=CHANGE) == Job("a")
    assert ask_fal(sent("b", edit(uri(BLUE))), order=CHANGE) is None
    assert ask_fal(sent("b", edit(uri(RED)[:90] + "...")), order=CHANGE) is None
    assert ask_fal(sent("b", edit(uri(RED), uri(RED))), order=CHANGE) is None
    assert ask_fal(sent("b", edit()), order=CHANGE) is None


def test_so_does_the_mask() -> None:
    order = replace(CHANGE, mask=BLUE)
    assert ask_fal(sent("a", edit(uri(RED), mask_url=uri(BLUE))), order=order) == Job("a")
    assert ask_fal(sent("a", edit(uri(RED), mask_url=uri(RED))), order=order) is None
    assert ask_fal(sent("a", edit(uri(RED))), order=order) is None
    assert ask_fal(sent("a", edit(uri(RED), mask_url=uri(BLUE))), order=CHANGE) is None


@contextmanager
def files(**named: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = named.get(self.path.strip("/"))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_uploaded_pictures_are_fetched_and_compared() -> None:
    with files(red=RED.data, blue=BLUE.data) as base:
        red, blue, gone = (sent("a", edit(f"{base}/{name}")) for name in ("red", "blue", "gone"))
        assert ask_fal(red, order=CHANGE, loopback=True) == Job("a")
        assert ask_fal(blue, order=CHANGE, loopback=True) is None
        assert ask_fal(gone, order=CHANGE, loopback=True) is None
        assert ask_fal(red, order=CHANGE, loopback=False) is None


def test_a_prompt_cannot_pass_for_a_picture() -> None:
    order = replace(ORDER, prompt="picture-0")
    assert ask_fal(sent("a", {**INPUT, "prompt": "anything"}), order=order) is None
    assert ask_fal(sent("a", {**INPUT, "prompt": "picture-0"}), order=order) == Job("a")


def test_all_pages_are_read() -> None:
    pages: dict[str | None, Json] = {
        None: {"items": [sent("x", {})], "has_more": True, "next_cursor": "Mg=="},
        "Mg==": {"items": [sent("a")], "has_more": True, "next_cursor": "Mw=="},
        "Mw==": {"items": [sent("b")], "has_more": False, "next_cursor": None},
    }
    find = RECONCILERS["fal_by_endpoint"]
    line = Line(FAL, lambda path, query: pages[query.get("cursor")])
    assert asyncio.run(find(line, ORDER, SINCE, UNTIL)) is None
    assert asyncio.run(find(line, ORDER, SINCE, UNTIL, ("b",))) == Job("a")
    assert len(line.asked) == 6


def test_a_list_without_end_proves_nothing() -> None:
    line = Line(FAL, lambda path, query: {"items": [sent("a")], "next_cursor": "again"})
    assert asyncio.run(RECONCILERS["fal_by_endpoint"](line, ORDER, SINCE, UNTIL)) is None
    assert len(line.asked) == 20


@pytest.mark.parametrize("how", RECONCILERS)
@pytest.mark.parametrize(
    "answer",
    [
        Reply(403, {}, "{}", {"detail": "no permission"}),
        Reply(502, {}, "<html>", None),
        Reply(200, {}, "[]", []),
        {"items": None, "executions": None},
        {"items": ["a"], "executions": ["a"]},
        {"items": [sent("", None)], "executions": [{"id": "", "created_at": DURING}]},
        NotSent("no connection"),
        Lost("no answer"),
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_read_proves_nothing(how: str, answer: Json | Reply | Exception) -> None:
    line = Line(FAL if how.startswith("fal") else EACH, lambda path, query: answer)
    assert asyncio.run(RECONCILERS[how](line, ORDER, SINCE, UNTIL)) is None


# each::labs


def ask_each(
    inputs: Mapping[str, Json | Reply | Exception],
    order: Order = ORDER,
    known: tuple[str, ...] = (),
    **listed: Json,
) -> tuple[Job | None, Line]:
    """`inputs`: what each prediction says it was asked; `listed`: more about each entry of the list."""

    def answer(path: str, query: dict[str, str]) -> Json | Reply | Exception:
        if path == "/v1/executions":
            entries: list[Json] = [{"id": job, "created_at": DURING, **listed} for job in inputs]
            start = int(query["offset"])
            return {"executions": entries[start : start + 2], "total_count": len(entries)}
        found = inputs[path.removeprefix("/v1/prediction/")]
        return found if isinstance(found, Reply | Exception) else {"input": found, "status": "success"}

    line = Line(EACH, answer)
    return asyncio.run(RECONCILERS["each_executions"](line, order, SINCE, UNTIL, known)), line


def test_each_tells_what_was_asked_one_by_one() -> None:
    found, line = ask_each({"x": {**INPUT, "prompt": "other"}, "a": INPUT, "y": {}})
    assert found == Job("a")
    first = line.asked[0]
    assert first[0] == "/v1/executions"
    assert first[1]["model"] == "maker/model"
    assert (first[1]["from"], first[1]["to"]) == ("2026-11-20T09:59:30Z", "2026-11-20T10:02:30Z")
    assert [query["offset"] for path, query in line.asked if path == "/v1/executions"] == ["0", "2"]


def test_each_is_not_asked_about_jobs_that_cannot_be_it() -> None:
    found, line = ask_each({"a": INPUT, "b": INPUT}, known=("b",))
    assert found == Job("a")
    assert "/v1/prediction/b" not in [path for path, _ in line.asked]
    found, line = ask_each({"a": INPUT}, created_at="2026-11-20T12:00:00Z")
    assert found is None
    assert len(line.asked) == 1


def test_each_may_say_it_in_the_list() -> None:
    found, line = ask_each({"a": Lost("not asked")}, input=INPUT)
    assert found == Job("a")
    assert len(line.asked) == 1


def test_one_prediction_that_stays_silent_leaves_it_open() -> None:
    assert ask_each({"a": INPUT, "b": Reply(404, {}, "{}", {"error": "not found"})})[0] is None
    assert ask_each({"a": INPUT, "b": Lost("no answer")})[0] is None


def test_each_compares_pictures_as_well() -> None:
    assert ask_each({"a": edit(uri(RED)), "b": edit(uri(BLUE))}, CHANGE)[0] == Job("a")
    assert ask_each({"b": edit(uri(BLUE))}, CHANGE)[0] is None


# against the fakes, through the real transport


async def submit(transport: Transport, order: Order) -> str:
    """Place the job as the engine would; its id."""
    body = fill(transport.spec.submit[order.task], order, [uri(image) for image in order.images])
    path = transport.spec.submit[order.task].path
    url = transport.resolve("{base}" + path, {"model": order.model_id})
    reply = await transport.send("POST", str(url), filled=body)
    return str(find(reply.json, transport.spec.id)[0])


async def found_again(fakes: FakeServer, provider: str, order: Order) -> None:
    spec = specs()[provider]
    transport = Transport(spec, account(spec, fakes.environment()))
    since = now()
    try:
        lost = await submit(transport, order)
        await submit(transport, replace(order, prompt="another fox"))
        if order.images:
            await submit(transport, replace(order, images=(BLUE,)))
        look = RECONCILERS[spec.reconcile]
        assert await look(transport, order, since, now()) == Job(lost)
        assert await look(transport, order, since, now(), (lost,)) is None
        assert await look(transport, order, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z") is None
        twin = await submit(transport, order)
        assert await look(transport, order, since, now()) is None
        assert await look(transport, order, since, now(), (twin,)) == Job(lost)
    finally:
        await transport.aclose()


@pytest.mark.parametrize("order", [ORDER, CHANGE], ids=["t2i", "edit"])
@pytest.mark.parametrize("provider", ["fal", "each"])
def test_against_the_fakes_the_lost_job_is_found(provider: str, order: Order) -> None:
    with FakeServer() as fakes:
        asyncio.run(found_again(fakes, provider, order))
