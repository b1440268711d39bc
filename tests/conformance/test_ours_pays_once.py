"""What the providers' own clients do up to ten times when an answer is lost, we do once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from evalkit.fakes import FakeServer
from evalkit.providers.base import Settings
from evalkit.providers.systems import make_provider
from evalkit.types import Case, Delivered, Job, Outcome, Rejected, Request, System, Unknown

MODELS = {
    "fal": "microsoft/mai-image-2.5",
    "each": "some-text-to-image",
    "pixazo": "microsoft-mai-image-2-5",
    "azure": "MAI-Image-2.5",
    "openai": "gpt-image-2",
    "gemini": "gemini-2.5-flash-image",
    "bfl": "flux-2-pro",
    "replicate": "black-forest-labs/flux-schnell",
    "stability": "core",
    "a1111": "some-checkpoint",
    "ideogram": "ideogram-v3-turbo",
    "together": "black-forest-labs/FLUX.1-schnell",
    "openrouter": "microsoft/mai-image-2.6",
}


class Accepted:
    """A ledger that only counts."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def accepted(self, job: Job) -> None:
        self.jobs.append(job)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(side=64) as fakes:
        yield fakes


@pytest.fixture
def fakes(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    server.reset()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return server


async def generate(provider: str, prompt: str) -> Outcome | Rejected:
    maker = make_provider(System(provider, MODELS[provider]), Settings(deadline=10))
    ask = maker.ask(Case("c", prompt))
    request = Request("t", "s", "c", 0, "t2i", prompt, ask.aspect_ratio, ask.model, ask.params)
    try:
        return await maker.generate(request, Accepted())
    finally:
        await maker.aclose()


@pytest.mark.parametrize("provider", sorted(set(MODELS) - {"a1111"}))
def test_a_lost_answer_is_unknown_and_paid_once(fakes: FakeServer, provider: str) -> None:
    assert isinstance(asyncio.run(generate(provider, "a fox [[submit:drop_after]]")), Unknown)
    assert len(fakes.ledger()) == 1


@pytest.mark.parametrize("provider", sorted(MODELS))
def test_a_picture_comes_and_is_paid_once(fakes: FakeServer, provider: str) -> None:
    assert isinstance(asyncio.run(generate(provider, "a fox")), Delivered)
    assert len(fakes.ledger()) == 1
