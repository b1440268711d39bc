"""What a fake hears and says: one HTTP request, one answer, and how an answer may go wrong on purpose.

It knows no provider. `wire.py` turns bytes into an `Asked` and an `Answer` into bytes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from evalkit.types import Json

How = Literal["whole", "drop", "short", "endless"]


@dataclass(frozen=True)
class Asked:
    """One request. Header names are lower-case; `target` is path and query as they were sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    scheme: str = "http"

    @cached_property
    def path(self) -> str:
        """Without the query, percent signs decoded."""
        return unquote(self.target.partition("?")[0])

    @cached_property
    def query(self) -> dict[str, str]:
        """The last value of every name."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def origin(self) -> str:
        """How the client reaches us, so that URLs in answers work through TLS and host names."""
        return f"{self.scheme}://{self.headers.get('host', '127.0.0.1')}"

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises `ValueError` if it is anything else."""
        match json.loads(self.body):
            case dict() as value:
                return value
            case _:
                raise ValueError("the body has to be a JSON object")

    @cached_property
    def form(self) -> Form:
        """The body as multipart form data; empty if it is something else."""
        return read_form(self.headers.get("content-type", ""), self.body)


@dataclass(frozen=True, slots=True)
class Form:
    """Multipart form data: the fields, and the files by field name in the order they came.

    `names` are the file names that came with them.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def file(self, *names: str) -> tuple[bytes, ...]:
        """The files of the first of these fields that has any."""
        return next((self.files[name] for name in names if self.files.get(name)), ())


def read_form(content_type: str, body: bytes) -> Form:
    """Split a `multipart/form-data` body; a part with a file name is a file."""
    if not content_type.lower().startswith("multipart/form-data"):
        return Form()
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    )
    fields: dict[str, str] = {}
    files: dict[str, tuple[bytes, ...]] = {}
    names: dict[str, str] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        if part.get_filename() is None:
            fields[name] = data.decode("utf-8", "replace")
        else:
            files[name] = (*files.get(name, ()), data)
            names[name] = str(part.get_filename())
    return Form(fields, files, names)


@dataclass(slots=True)
class Answer:
    """One answer, and how it goes wrong.

    `how`: `whole` as it should be, `drop` hangs up without a byte, `short` promises the whole body, sends
    half and hangs up, `endless` never stops sending. `delay` is in seconds. `first` runs before anything is
    sent. `events` are sent as a stream, one by one.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    how: How = "whole"
    delay: float = 0.0
    first: Callable[[], Awaitable[None]] | None = None
    events: tuple[bytes, ...] = ()

    @property
    def json(self) -> Any:
        """The body read back."""
        return json.loads(self.body)


def say(value: Json, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; `x_request_id="1"` becomes the header `x-request-id: 1`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Answer(status, body, {"content-type": "application/json", **named})


def page(title: str, status: int = 502) -> Answer:
    """What a proxy in front of a provider says when it is the proxy that failed."""
    html = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, html.encode(), {"content-type": "text/html"})


def hang_up() -> Answer:
    """No answer at all."""
    return Answer(how="drop")
