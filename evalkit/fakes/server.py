"""One process that speaks every provider's protocol on 127.0.0.1. Nothing is billed, nothing leaves.

It knows which prefix belongs to whom and runs the loop in a thread of its own; what is said is in `routes/`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from evalkit.fakes.control import Control, set_faults
from evalkit.fakes.face import SENTINEL, Face
from evalkit.fakes.files import get_file, get_upload
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.mirror import keys_of, mirrored
from evalkit.fakes.routes.a1111 import A1111
from evalkit.fakes.routes.azure import Azure
from evalkit.fakes.routes.bfl import Bfl
from evalkit.fakes.routes.chat import AnyChat, Chat, LocalChat, OpenRouterChat
from evalkit.fakes.routes.comfyui import ComfyUI
from evalkit.fakes.routes.each import Each
from evalkit.fakes.routes.fal import Fal
from evalkit.fakes.routes.gemini import Gemini
from evalkit.fakes.routes.ideogram import Ideogram
from evalkit.fakes.routes.openai import Local, OpenAI
from evalkit.fakes.routes.openrouter import OpenRouter
from evalkit.fakes.routes.pixazo import Pixazo
from evalkit.fakes.routes.replicate import Replicate
from evalkit.fakes.routes.stability import Stability
from evalkit.fakes.routes.together import Together
from evalkit.fakes.state import Billed, Seen, World
from evalkit.fakes.wire import Connection, factory
from evalkit.remote.accounts import base_variable
from evalkit.remote.catalog import specs as described
from evalkit.remote.spec import Spec

FACES: tuple[type[Face], ...] = (
    Fal,
    Each,
    Pixazo,
    Azure,
    OpenAI,
    Local,
    Gemini,
    Bfl,
    Replicate,
    Stability,
    A1111,
    ComfyUI,
    Ideogram,
    Together,
    OpenRouter,
    Chat,
    OpenRouterChat,
    AnyChat,
    LocalChat,
)
BASES = {
    **{face.name: f"/{face.name}" for face in FACES},
    "openai": "/openai/v1",
    "local": "/local/v1",
    "together": "/together/v1",
    "openrouter": "/openrouter/api/v1",
    "openai-chat": "/openai-chat/v1",
    "openrouter-chat": "/openrouter-chat/api/v1",
    "chat": "/chat/v1",
    "local-chat": "/local-chat/v1",
    "a1111": "",
}
"""What follows the server's URL in a provider's base URL."""
KEYS = {
    "fal": "FAL_KEY",
    "each": "EACHLABS_API_KEY",
    "pixazo": "PIXAZO_API_KEY",
    "azure": "AZURE_AI_API_KEY",
    "openai": "OPENAI_API_KEY",
    "local": "LOCAL_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "bfl": "BFL_API_KEY",
    "replicate": "REPLICATE_API_TOKEN",
    "stability": "STABILITY_API_KEY",
    "ideogram": "IDEOGRAM_API_KEY",
    "together": "TOGETHER_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "chat": "CHAT_API_KEY",
}
"""The environment variable of each provider's key; the others need none."""


class FakeServer:
    """A context manager around the whole thing.

        with FakeServer() as fakes:
            os.environ.update(fakes.environment())

    `polls` is the poll that finds a job finished (1: the first). `side` caps the longer side of pictures, in
    pixels, for benchmarks. With `tls` it speaks https. It listens on 127.0.0.1 only. `specs` are mirrored,
    in the place of a provider of that name; if not given, every description without a fake of its own is.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        polls: int = 3,
        side: int | None = None,
        specs: Iterable[Spec] | None = None,
    ) -> None:
        self._wanted = port
        self._tls = tls
        self._world = World(polls=polls, side=side)
        self._faces: dict[str, Face] = {face.name: face(self._world) for face in FACES}
        mirrors = _without_fake() if specs is None else specs
        self._mirrors = {spec.name: mirrored(spec)(self._world) for spec in mirrors}
        self._faces |= self._mirrors
        self._answers = self._by_prefix()
        self._alive: set[Connection] = set()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="evalkit-fakes", daemon=True)
        self._port = 0

    def __enter__(self) -> FakeServer:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it is: `http://127.0.0.1:PORT`, or `https://localhost:PORT`."""
        return f"https://localhost:{self._port}" if self._tls else f"http://127.0.0.1:{self._port}"

    def base(self, provider: str) -> str:
        """The base URL of one provider."""
        return self.url + (f"/{provider}" if provider in self._mirrors else BASES[provider])

    def environment(self) -> dict[str, str]:
        """Everything that moves every provider here, with keys that only work here."""
        bases = {base_variable(name): self.base(name) for name in self._faces}
        keys = {variable: f"{SENTINEL}{name}" for name, variable in KEYS.items()}
        mirrored = [keys_of(mirror.spec) for mirror in self._mirrors.values()]
        return bases | {name: key for row in mirrored for name, key in row.items()} | keys

    def ledger(self) -> list[Billed]:
        """Every billable job, in the order they were taken."""
        return list(self._world.ledger)

    def requests(self) -> list[Seen]:
        """Every request, in the order they came."""
        return list(self._world.requests)

    def faults(self, provider: str, directives: str) -> None:
        """Faults for every prompt of a provider (`*`: all), e.g. `submit:429*2`; empty takes them back."""
        set_faults(self._world, provider, directives)

    def reset(self) -> None:
        """Forget jobs, ledger, requests, faults; the clock is right again."""
        self._on_loop(self._world.reset)

    def advance(self, seconds: float) -> None:
        """Let time pass for retention, expiry and stamps."""
        self._world.offset += seconds

    def _on_loop(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        done.wait()

    def _by_prefix(self) -> dict[str, Callable[[Asked, str], Answer]]:
        return {
            **{name: face.answer for name, face in self._faces.items()},
            "sdapi": self._faces["a1111"].answer,
            "__fake__": Control(self._world, self._faces).answer,
            "files": lambda asked, path: get_file(self._world, asked, path),
            "uploads": lambda asked, path: get_upload(self._world, asked, path),
        }

    def _answer(self, asked: Asked) -> Answer:
        prefix, _, rest = asked.path.lstrip("/").partition("/")
        if prefix != "__fake__":
            self._world.note(asked)
        answer = self._answers.get(prefix)
        if answer is None:
            return say({"error": "this is `evalkit fakes`", "prefixes": list(self._answers)}, 404)
        try:
            return answer(asked, f"/{rest}")
        except Exception as error:
            # A client has to see a fault of ours as one, and go on with its next request.
            return say({"error": f"evalkit fakes broke: {type(error).__name__}: {error}"}, 500)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        protocol = factory(self._answer, self._alive, "https" if self._tls else "http")
        server = await self._loop.create_server(
            protocol, "127.0.0.1", self._wanted, ssl=self._tls, backlog=512, reuse_address=True
        )
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        # Connections that were just accepted become alive only in the next turns of the loop.
        for _ in range(5):
            for connection in list(self._alive):
                connection.close()
            await asyncio.sleep(0)


def _without_fake() -> list[Spec]:
    """The descriptions that nobody has written a fake for, read from `EVALKIT_PROVIDERS` if not ours."""
    written = {face.name for face in FACES}
    return [spec for name, spec in described().items() if name not in written]
