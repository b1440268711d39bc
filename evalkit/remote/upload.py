"""Handing a source picture to a provider before the job, for pictures too large to travel inside it.

Each procedure takes a picture and returns the URL that the job will name. The key goes to the provider's own
API only: where an answer says to put the bytes, they go without it, and only to a public address. Nothing
here is billed, so whatever goes wrong is an `UploadFailed` that proves that no job exists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from evalkit.remote.addresses import NoAddress, NotPublic, locate, parse
from evalkit.remote.body import Filled
from evalkit.remote.classify import Reply, classify
from evalkit.remote.download import shown, sniff
from evalkit.remote.spec import Kind
from evalkit.remote.transport import Foreign, Lost, NotSent, Transport
from evalkit.types import ImageInput, Json

UPLOAD_S = 180.0
KEPT_S = 7 * 24 * 3600
"""How long each::labs is asked to keep a source picture: longer than any job may take."""

_SET_BY_US = ("host", "content-length", "transfer-encoding", "connection")


class UploadFailed(Exception):
    """The picture is not there, and no job was begun: the trial may be sent again as after any rejection."""

    def __init__(self, kind: Kind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


async def fal(transport: Transport, image: ImageInput) -> str:
    """A token for the CDN, then the file; the CDN sees the token only.

    Source: the requests of fal's own Python client, `fal_client` 1.0.3.
    """
    reply = await _ask(
        transport, "{rest}/storage/auth/token?storage_type=fal-cdn-v3", Filled(json={}), "the token"
    )
    token, scheme = _text(reply, "token"), _text(reply, "token_type")
    reply = await _put(
        transport,
        "POST",
        _own(transport, "{cdn}/files/upload"),
        image,
        {
            "authorization": f"{scheme} {token}",
            "content-type": _content_type(image),
            "x-fal-file-name": _file_name(image),
        },
    )
    return _usable(transport, _text(reply, "access_url"))


async def each(transport: Transport, image: ImageInput) -> str:
    """A presigned URL of a bucket, then the file.

    Source: https://docs.eachlabs.ai/api/uploads/presign-upload
    """
    wanted: Json = {
        "content_type": _content_type(image),
        "file_type": "image",
        "expires_in_seconds": KEPT_S,
    }
    reply = await _ask(transport, "{base}/v1/upload/presign", Filled(json=wanted), "the upload URL")
    place = _text(reply, "presigned_url")
    headers = {"content-type": _content_type(image), **_required_headers(reply)}
    await _put(transport, "PUT", place, image, headers)
    return _usable(transport, _text(reply, "public_url"))


async def replicate(transport: Transport, image: ImageInput) -> str:
    """One multipart request to the files API, whose URLs Replicate's models can read.

    Source: https://replicate.com/docs/reference/http#files.create
    """
    file = (_file_name(image), image.data, _content_type(image))
    reply = await _ask(transport, "{base}/v1/files", Filled(files=(("content", file),)), "the file")
    return _usable(transport, _text(reply, "urls", "get"))


UPLOADS: Mapping[str, Callable[[Transport, ImageInput], Awaitable[str]]] = {
    "fal": fal,
    "each": each,
    "replicate": replicate,
}


async def _ask(transport: Transport, template: str, filled: Filled, what: str) -> Reply:
    """An authorized request to the provider's own API; its errors mean what they mean on submit."""
    url = _own(transport, template)
    try:
        reply = await transport.send("POST", url, filled=filled, timeout=UPLOAD_S)
    except (NotSent, Lost) as error:
        raise UploadFailed("transient", f"uploading the source picture: {error}") from None
    except Foreign as error:
        raise UploadFailed("permanent", f"uploading the source picture: {error}") from None
    verdict = classify(transport.spec, reply, "submit")
    if verdict is not None:
        message = f"uploading the source picture, {what} was denied: {verdict.message}"
        raise UploadFailed(verdict.kind, message, verdict.retry_after)
    if not 200 <= reply.status < 300:
        raise UploadFailed("permanent", f"uploading the source picture: status {reply.status} for {what}")
    return reply


async def _put(
    transport: Transport, method: str, url: str, image: ImageInput, headers: Mapping[str, str]
) -> Reply:
    """The bytes, without the key, to a place that has to be public."""
    try:
        await locate(url, loopback=transport.loopback)
        reply = await transport.send(
            method, url, content=image.data, headers=headers, authorized=False, timeout=UPLOAD_S
        )
    except NotPublic as error:
        raise UploadFailed("permanent", f"refusing to upload to {shown(url)}: {error}") from None
    except Foreign as error:
        raise UploadFailed("permanent", f"uploading the source picture: {error}") from None
    except (NoAddress, NotSent, Lost) as error:
        raise UploadFailed("transient", f"uploading the source picture: {error}") from None
    if not 200 <= reply.status < 300:
        passing = reply.status >= 500 or reply.status in (408, 429)
        message = f"uploading to {shown(url)}: status {reply.status}"
        raise UploadFailed("transient" if passing else "permanent", message)
    return reply


def _own(transport: Transport, template: str) -> str:
    url = transport.resolve(template, {})
    if url is None:
        raise UploadFailed("permanent", f"the description of the provider lacks a host for {template}")
    return url


def _usable(transport: Transport, url: str) -> str:
    """The URL the job will name: the provider reads it, we do not, so only its form is checked."""
    try:
        parsed = parse(url)
    except NotPublic as error:
        raise UploadFailed("permanent", f"the upload's answer names no usable URL: {error}") from None
    if parsed.scheme != "https" and not transport.loopback:
        raise UploadFailed("permanent", f"the upload's answer names {shown(url)}, which is not https")
    return url


def _text(reply: Reply, *names: str) -> str:
    value: Json = reply.json
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise UploadFailed("permanent", f"the upload's answer has no {'.'.join(names)}")
    return value


def _required_headers(reply: Reply) -> dict[str, str]:
    """Lower-case names, so that none is sent twice; what httpx sets itself is left to it."""
    headers = reply.json.get("required_headers") if isinstance(reply.json, dict) else None
    if headers is None:
        return {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise UploadFailed("permanent", "the upload's answer has required_headers that are no headers")
    return {name.lower(): str(value) for name, value in headers.items() if name.lower() not in _SET_BY_US}


def _content_type(image: ImageInput) -> str:
    return f"image/{sniff(image.data) or 'png'}"


def _file_name(image: ImageInput) -> str:
    return f"{image.sha256[:16]}.{sniff(image.data) or 'png'}"
