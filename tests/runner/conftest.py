"""A suite of a few prompts, and a provider whose every call is counted."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from evalkit.providers import systems
from evalkit.providers.base import Ledger, Provider
from evalkit.suite import load_suite
from evalkit.types import Delivered, Outcome, Picture, Price, Quote, Rejected, Request, Suite

Answer = Callable[[Request, Ledger], Outcome | Rejected | Awaitable[Outcome | Rejected]]


def picture(text: str = "") -> Picture:
    shade = sum(text.encode()) % 256
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), (shade, 255 - shade, 128)).save(buffer, "PNG")
    return Picture(buffer.getvalue())


class Counted(Provider):
    """Answers with a plain picture; a test may set `answer`, a price, and whether asking twice is free."""

    name: ClassVar[str] = "counted"
    replayable: ClassVar[bool] = False
    calls: ClassVar[Counter[str]] = Counter()
    answer: ClassVar[Answer | None] = None
    price: ClassVar[Decimal] = Decimal(0)

    def quote(self, request: Request) -> Quote:
        return Quote(self.price, self.price, "list" if self.price else "none")

    async def generate(self, request: Request, ledger: Ledger) -> Outcome | Rejected:
        self.calls[request.case] += 1
        await asyncio.sleep(0)
        if self.answer is not None:
            answer = type(self).answer(request, ledger)
            return await answer if inspect.isawaitable(answer) else answer
        return Delivered((picture(request.prompt + str(request.replicate)),), price=Price(self.price, "list"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    known = {**systems.providers(), "counted": Counted}
    monkeypatch.setattr(systems, "providers", lambda: known)
    Counted.calls.clear()
    monkeypatch.setattr(Counted, "answer", None)
    monkeypatch.setattr(Counted, "replayable", False)
    monkeypatch.setattr(Counted, "price", Decimal(0))
    return Counted


@pytest.fixture
def make_suite(tmp_path: Path) -> Callable[..., Suite]:
    def make(prompts: list[str], name: str = "tiny", **extra: object) -> Suite:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "README.md").write_text("# tiny\n")
        head = {
            "name": name,
            "version": "1.0.0",
            "category": "product",
            "licence": "CC0-1.0",
            "description": "Few.",
        }
        (folder / "suite.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in head.items()))
        lines = [
            json.dumps({"id": f"c{i}", "prompt": p, "tags": ["easy"], **extra}) for i, p in enumerate(prompts)
        ]
        (folder / "cases.jsonl").write_text("\n".join(lines) + "\n")
        return load_suite(folder)

    return make
