"""The fake judge for all tests, a finished run for each, and nothing that waits longer than it has to."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from judgebench import Bench, finished_run

from evalkit import http
from evalkit.fakes import FakeServer
from evalkit.remote import download
from evalkit.runner import asking, limiter


@pytest.fixture(scope="session")
def fakes() -> Iterator[FakeServer]:
    with FakeServer(side=64) as server:
        yield server


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("finished"))


@cache
def _certificates(**_: Any) -> ssl.SSLContext:
    return ssl.create_default_context()


@pytest.fixture
def bench(finished: Path, fakes: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    fakes.reset()
    for variable, value in fakes.environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(asking, "BACKOFF_S", 0.001)
    monkeypatch.setattr(limiter, "BACKOFF_S", 0.001)
    monkeypatch.setattr(limiter, "RETRY_AFTER_MOST_S", 0.01)
    monkeypatch.setattr(http, "create_ssl_context", _certificates)
    monkeypatch.setattr(download, "create_ssl_context", _certificates)
    return Bench.make(finished, tmp_path, fakes)
