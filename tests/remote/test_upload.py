from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from PIL import Image

from evalkit.fakes.server import FakeServer
from evalkit.remote.body import Filled
from evalkit.remote.catalog import account, specs
from evalkit.remote.classify import Reply
from evalkit.remote.download import Downloader
from evalkit.remote.spec import Out, Rule, Spec
from evalkit.remote.transport import Foreign, Lost, NotSent, Transport
from evalkit.remote.upload import UPLOADS, UploadFailed
from evalkit.types import ImageInput, Json

PNG = b"\x89PNG\r\n\x1a\n" + b"a picture, as far as uploads care"
IMAGE = ImageInput(PNG, hashlib.sha256(PNG).hexdigest(), 8, 8)
SPEC = Spec(
    name="made-up",
    summary="",
    base="https://api.example",
    submit={},
    models=(),
    out=Out(),
    rules=(Rule("balance", phase="submit", status="422"),),
)
HOSTS = {"base": "https://api.example", "rest": "https://rest.example", "cdn": "https://1.1.1.1"}


@dataclass
class Sent:
    method: str
    url: str
    authorized: bool
    headers: Mapping[str, str]
    filled: Filled | None
    content: bytes | None


@dataclass
class Line:
    """A transport that answers from a script and notes what it was given to send."""

    script: list[Reply | Exception]
    loopback: bool = False
    spec: Spec = SPEC
    sent: list[Sent] = field(default_factory=list)

    async def send(
        self, method, url, *, filled=None, content=None, headers=None, authorized=True, timeout=60.0
    ):
        self.sent.append(Sent(method, url, authorized, headers or {}, filled, content))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def resolve(self, template: str, values: Mapping[str, str]) -> str | None:
        return template.format(**HOSTS, **values)


def reply(body: Json, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps(body), body)


def upload(how: str, *script: Reply | Exception, loopback: bool = False) -> tuple[str, list[Sent]]:
    line = Line(list(script), loopback)
    return asyncio.run(UPLOADS[how](line, IMAGE)), line.sent


def failing(how: str, *script: Reply | Exception) -> tuple[UploadFailed, list[Sent]]:
    line = Line(list(script))
    with pytest.raises(UploadFailed) as caught:
        asyncio.run(UPLOADS[how](line, IMAGE))
    return caught.value, line.sent


TOKEN = reply({"token": "short-lived", "token_type": "Bearer", "base_url": "https://10.0.0.1"})
STORED = reply({"access_url": "https://cdn.example/source.png"})
PLACE = {
    "presigned_url": "https://1.1.1.1/uploads/1?X-Amz-Signature=s3cret",
    "public_url": "https://cdn.example/uploads/1.png",
    "required_headers": {"X-Amz-Meta-File-Id": "1", "Content-Type": "image/png", "Host": "1.1.1.1"},
}
DONE = Reply(200, {}, "", None)


def test_fal_gives_the_cdn_its_token_and_not_the_key() -> None:
    url, (first, second) = upload("fal", TOKEN, STORED)
    assert url == "https://cdn.example/source.png"
    assert first.url == "https://rest.example/storage/auth/token?storage_type=fal-cdn-v3"
    assert (first.method, first.authorized, first.filled) == ("POST", True, Filled(json={}))
    assert (second.method, second.url) == ("POST", "https://1.1.1.1/files/upload")
    assert (second.authorized, second.content) == (False, PNG)
    assert second.headers["authorization"] == "Bearer short-lived"
    assert second.headers["content-type"] == "image/png"
    assert second.headers["x-fal-file-name"] == f"{IMAGE.sha256[:16]}.png"


def test_each_puts_the_bytes_where_the_answer_says_with_its_headers() -> None:
    url, (first, second) = upload("each", reply(PLACE), DONE)
    assert url == PLACE["public_url"]
    assert first.url == "https://api.example/v1/upload/presign"
    assert first.filled is not None
    assert first.filled.json == {
        "content_type": "image/png",
        "file_type": "image",
        "expires_in_seconds": 604_800,
    }
    assert (second.method, second.url, second.content) == ("PUT", PLACE["presigned_url"], PNG)
    assert second.authorized is False
    assert second.headers == {"content-type": "image/png", "x-amz-meta-file-id": "1"}


def test_replicate_takes_a_form() -> None:
    url, (only,) = upload("replicate", reply({"urls": {"get": "https://api.example/v1/files/f1"}}, 201))
    assert url == "https://api.example/v1/files/f1"
    assert (only.method, only.url, only.authorized) == ("POST", "https://api.example/v1/files", True)
    assert only.filled is not None
    assert only.filled.files == (("content", (f"{IMAGE.sha256[:16]}.png", PNG, "image/png")),)


@pytest.mark.parametrize(
    "place",
    [
        "http://1.1.1.1/put?sig=s3cret",
        "https://10.0.0.1/put?sig=s3cret",
        "https://127.0.0.1:9080/put?sig=s3cret",
        "https://169.254.169.254/latest?sig=s3cret",
        "https://user:s3cret@1.1.1.1/put",
        "file:///etc/passwd",
    ],
)
def test_bytes_go_to_public_places_only(place: str) -> None:
    failed, sent = failing("each", reply({**PLACE, "presigned_url": place}))
    assert failed.kind == "permanent"
    assert len(sent) == 1
    assert "s3cret" not in failed.message


def test_a_provider_on_this_machine_may_name_this_machine() -> None:
    place = {"presigned_url": "http://127.0.0.1:9/put", "public_url": "http://127.0.0.1:9/f/1.png"}
    url, sent = upload("each", reply(place), DONE, loopback=True)
    assert url == "http://127.0.0.1:9/f/1.png"
    assert sent[1].authorized is False


@pytest.mark.parametrize(
    "url", ["http://cdn.example/1.png", "ftp://cdn.example/1", "1.png", "https://a:b@c/1"]
)
def test_the_job_is_given_no_odd_url(url: str) -> None:
    failed, _ = failing("each", reply({**PLACE, "public_url": url}), DONE)
    assert failed.kind == "permanent"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply({"error": "no key"}, 401), "auth"),
        (reply({"error": "pay"}, 402), "balance"),
        (reply({"error": "pay"}, 422), "balance"),
        (reply({"error": "slow down"}, 429), "rate_limit"),
        (reply({"error": "down"}, 503), "transient"),
        (Reply(502, {}, "<html>nginx</html>", None), "transient"),
        (Reply(307, {"location": "https://elsewhere.example"}, "", None), "permanent"),
        (NotSent("no connection"), "transient"),
        (Lost("no answer in time"), "transient"),
        (Foreign("not the provider's"), "permanent"),
    ],
)
@pytest.mark.parametrize("how", UPLOADS)
def test_what_the_api_says_decides_what_comes_next(how: str, answer: Reply | Exception, kind: str) -> None:
    failed, sent = failing(how, answer)
    assert failed.kind == kind
    assert len(sent) == 1


def test_the_wish_to_be_left_alone_is_passed_on() -> None:
    failed, _ = failing("each", Reply(429, {"retry-after": "7"}, "{}", {}))
    assert failed.retry_after == 7.0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Reply(403, {}, "<Error><Code>SignatureDoesNotMatch</Code></Error>", None), "permanent"),
        (Reply(307, {"location": "https://elsewhere.example"}, "", None), "permanent"),
        (Reply(503, {}, "<Error><Code>SlowDown</Code></Error>", None), "transient"),
        (NotSent("no connection"), "transient"),
        (Lost("no answer in time"), "transient"),
    ],
)
def test_what_the_store_says_is_not_about_our_key(answer: Reply | Exception, kind: str) -> None:
    failed, _ = failing("each", reply(PLACE), answer)
    assert failed.kind == kind
    assert "s3cret" not in failed.message


@pytest.mark.parametrize("missing", ["presigned_url", "public_url"])
@pytest.mark.parametrize("value", [None, "", 7, ["https://1.1.1.1"]])
def test_an_answer_without_its_url_is_an_error(missing: str, value: Json) -> None:
    failed, _ = failing("each", reply({**PLACE, missing: value}), DONE)
    assert missing in failed.message


@pytest.mark.parametrize("headers", ["x", ["x"], {"x": 1}, {"x": None}])
def test_headers_that_are_none_are_an_error(headers: Json) -> None:
    failed, sent = failing("each", reply({**PLACE, "required_headers": headers}))
    assert "required_headers" in failed.message
    assert len(sent) == 1


@pytest.mark.parametrize("provider", ["fal", "each", "replicate"])
def test_against_the_fakes_the_picture_arrives_and_the_key_stays(provider: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 7), "teal").save(file, "PNG")
    data = file.getvalue()
    image = ImageInput(data, hashlib.sha256(data).hexdigest(), 9, 7)

    async def main(fakes: FakeServer) -> bytes:
        spec = specs()[provider]
        transport = Transport(spec, account(spec, fakes.environment()))
        downloader = Downloader(loopback=True, pauses=())
        try:
            return await downloader.fetch(await UPLOADS[spec.upload](transport, image))
        finally:
            await transport.aclose()
            await downloader.aclose()

    with FakeServer() as fakes:
        assert asyncio.run(main(fakes)) == data
        keyed = [seen.path for seen in fakes.requests() if "SENTINEL" in str(seen.headers)]
        assert len(keyed) == 1
        assert fakes.ledger() == []
