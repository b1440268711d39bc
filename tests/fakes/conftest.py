"""One server for all tests of the fakes; each test finds it as new."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fake_talk import Talk

from evalkit.fakes import FakeServer


@pytest.fixture(scope="session")
def _server() -> Iterator[FakeServer]:
    with FakeServer(side=256) as fakes:
        yield fakes


@pytest.fixture
def fakes(_server: FakeServer) -> FakeServer:
    _server.reset()
    return _server


@pytest.fixture
def talk(fakes: FakeServer) -> Iterator[Talk]:
    with httpx.Client(timeout=10, trust_env=False) as http:
        yield Talk(fakes, http)
