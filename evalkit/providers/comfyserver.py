"""What a ComfyUI server can be asked, and what its answers mean. No key: it is one's own machine.

    POST /prompt          {"prompt": graph, "prompt_id"} -> {"prompt_id"}, or 400 {"error", "node_errors"}
    GET  /history/{id}    {} until the job has ended, then {id: {"outputs", "status"}}
    GET  /queue           {"queue_running": [[number, id, ...]], "queue_pending": [...]}
    POST /upload/image    multipart -> {"name", "subfolder"}
    GET  /view            a saved picture
    POST /queue, /interrupt   to cancel

Source: https://docs.comfy.org/development/comfyui-server/comms_routes
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import UsageError
from evalkit.http import URL, USER_AGENT, AsyncClient, InvalidURL, Response, Timeout, TransportError
from evalkit.images import ImageProblem, check, read_header
from evalkit.remote.download import MAX_BYTES
from evalkit.remote.redact import plain
from evalkit.types import ImageInput, Json

SHOWN = 300


class Down(Exception):
    """The server cannot be reached, or what answers is no ComfyUI."""


class NotTaken(Exception):
    """The server looked at the graph and will not run it."""


class Broken(Exception):
    """A saved picture that cannot be read."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A picture in the server's folders, and the node that saved it."""

    node: str
    filename: str
    subfolder: str
    type: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over. `files` are what it saved, by node number; previews are left out."""

    how: Literal["done", "failed", "interrupted"]
    message: str = ""
    files: tuple[SavedFile, ...] = ()


Stage = Literal["queued", "running", "nowhere"] | Ended


class Server:
    """One ComfyUI server. Every call raises `Down` if it does not answer as ComfyUI does."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        try:
            known = URL(self.base).scheme in ("http", "https") and bool(URL(self.base).host)
        except InvalidURL:
            known = False
        if not known:
            raise UsageError("EVALKIT_COMFYUI_BASE is not an http(s) URL", "Write http://127.0.0.1:8188.")
        self._open: AsyncClient | None = None

    async def submit(self, graph: Mapping[str, Json], job: str) -> str:
        """Queue a graph; the id it got, which an old server chooses itself. Raises `NotTaken`."""
        asked: dict[str, Json] = {"prompt": dict(graph), "prompt_id": job, "client_id": "evalkit"}
        response = await self._send("POST", "/prompt", json=asked)
        said = _json(response)
        if response.status_code == 400:
            raise NotTaken(_why_not(said))
        _require(response)
        given = said.get("prompt_id")
        return given if isinstance(given, str) and given else job

    async def stage(self, job: str) -> Stage:
        """Where a job is. One that ends while we look may seem to be nowhere for a moment."""
        ended = (await self._get(f"/history/{job}")).get(job)
        if isinstance(ended, dict):
            return _ended(ended)
        queue = await self._get("/queue")
        if job in _ids(queue.get("queue_running")):
            return "running"
        return "queued" if job in _ids(queue.get("queue_pending")) else "nowhere"

    async def upload(self, picture: ImageInput) -> str:
        """Store a picture among the server's inputs, under a name made from its digest."""
        kind = read_header(picture.data).format
        file = (f"evalkit-{picture.sha256[:32]}.{kind}", picture.data, f"image/{kind}")
        response = await self._send(
            "POST", "/upload/image", data={"overwrite": "true"}, files={"image": file}
        )
        _require(response)
        said = _json(response)
        name, folder = said.get("name"), said.get("subfolder")
        if not isinstance(name, str):
            raise Down("the upload was answered without a name")
        return f"{folder}/{name}" if folder else name

    async def fetch(self, file: SavedFile) -> bytes:
        """A saved picture, decoded once to prove that all of it is there. Raises `Broken`."""
        where = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        data = bytearray()
        try:
            async with self._client().stream("GET", f"{self.base}/view", params=where) as response:
                if response.status_code != 200:
                    raise Broken(f"the server answers {response.status_code} instead of the picture")
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > MAX_BYTES:
                        raise Broken("the picture is larger than 32 MiB")
        except TransportError as error:
            raise Down(type(error).__name__) from error
        return await asyncio.to_thread(_checked, bytes(data))

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, or stop it if it is the one at work."""
        running = await self.stage(job) == "running"
        await self._send("POST", "/queue", json={"delete": [job]})
        if running:
            await self._send("POST", "/interrupt", json={"prompt_id": job})

    async def version(self) -> str:
        """What ComfyUI says of itself."""
        system = (await self._get("/system_stats")).get("system")
        found = system.get("comfyui_version") if isinstance(system, dict) else None
        return plain(str(found or "of unknown version"), 40)

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._open = self._open, None
        if client is not None:
            await client.aclose()

    def _client(self) -> AsyncClient:
        if self._open is None:
            self._open = AsyncClient(
                timeout=Timeout(60.0, connect=5.0), trust_env=False, headers={"User-Agent": USER_AGENT}
            )
        return self._open

    async def _send(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Response:
        try:
            return await self._client().request(method, self.base + path, json=json, data=data, files=files)
        except TransportError as error:
            raise Down(type(error).__name__) from error

    async def _get(self, path: str) -> dict[str, Json]:
        response = await self._send("GET", path)
        _require(response)
        return _json(response)


def _require(response: Response) -> None:
    if response.status_code != 200:
        raise Down(f"status {response.status_code} to {response.request.url.path}")


def _json(response: Response) -> dict[str, Json]:
    try:
        said = response.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Down(f"status {response.status_code} and no JSON object to {response.request.url.path}")
    return said


def _checked(data: bytes) -> bytes:
    try:
        check(data)
    except ImageProblem as problem:
        raise Broken(problem.message) from problem
    return data


def _ids(queue: Json) -> set[str]:
    entries = queue if isinstance(queue, list) else []
    return {str(entry[1]) for entry in entries if isinstance(entry, list) and len(entry) > 1}


def _ended(entry: Mapping[str, Json]) -> Ended:
    """Servers older than 2023-12 keep no `status`; what is in their history has been done."""
    status = entry.get("status")
    if isinstance(status, dict) and status.get("status_str") == "error":
        return _fault(status.get("messages"))
    outputs = entry.get("outputs")
    return Ended("done", files=tuple(_files(outputs if isinstance(outputs, dict) else {})))


def _fault(messages: Json) -> Ended:
    told = [m for m in messages if isinstance(m, list) and len(m) == 2] if isinstance(messages, list) else []
    for event, detail in told:
        if event == "execution_interrupted":
            return Ended("interrupted", "the job was interrupted on the server")
        if event == "execution_error" and isinstance(detail, dict):
            where = f"node {detail.get('node_id')} ({detail.get('node_type')})"
            return Ended("failed", plain(f"{where}: {detail.get('exception_message')}", SHOWN))
    return Ended("failed", "the workflow ended with an error that the server does not explain")


def _files(outputs: Mapping[str, Json]) -> Iterator[SavedFile]:
    for node in sorted(outputs, key=_by_number):
        saved = outputs[node]
        pictures = saved.get("images") if isinstance(saved, dict) else None
        for picture in pictures if isinstance(pictures, list) else []:
            match picture:
                case {"filename": str(name), "type": "output", **rest}:
                    yield SavedFile(node, name, str(rest.get("subfolder") or ""), "output")


def _by_number(node: str) -> tuple[int, str]:
    return (int(node), node) if node.isascii() and node.isdigit() else (1 << 31, node)


def _why_not(said: Mapping[str, Json]) -> str:
    """`error.message` and what each node objects to."""
    error = said.get("error")
    words = [str(error.get("message", "")) if isinstance(error, dict) else str(error or "")]
    nodes = said.get("node_errors")
    for node, objection in nodes.items() if isinstance(nodes, dict) else ():
        words.append(f"node {node}: {', '.join(_objections(objection))}")
    return plain("; ".join(word for word in words if word), SHOWN) or "the server gives no reason"


def _objections(objection: Json) -> Iterator[str]:
    errors = objection.get("errors") if isinstance(objection, dict) else None
    for one in errors if isinstance(errors, list) else []:
        if isinstance(one, dict):
            yield f"{one.get('message', '')} {one.get('details', '')}".strip()
