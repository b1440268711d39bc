"""The fakes for a whole session, and a bench for each test, where nothing waits longer than it has to."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from contractbench import Bench

from evalkit import http
from evalkit.fakes import FakeServer
from evalkit.remote import download, polling
from evalkit.remote.download import Downloader
from evalkit.runner import asking, limiter
from evalkit.runner.limiter import Limiter


@pytest.fixture(scope="session")
def fakes() -> Iterator[FakeServer]:
    """Jobs are over at the second look; pictures are small."""
    with FakeServer(polls=2, side=64) as server:
        yield server


@cache
def _certificates(**_: Any) -> ssl.SSLContext:
    """Read once: it takes longer than a whole run."""
    return ssl.create_default_context()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Make every pause next to nothing: between looks, tries and downloads. What was asked for is noted here.

    The order of things stays as it is, so a test of how often something is tried means what it says. Nor is
    the disk waited for: no test here cuts the power.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(polling, "_HERE_S", (0.001, 0.004))
    monkeypatch.setattr(asking, "BACKOFF_S", 0.001)
    monkeypatch.setattr(limiter, "BACKOFF_S", 0.001)
    monkeypatch.setattr(limiter, "RETRY_AFTER_MOST_S", 0.01)
    monkeypatch.setattr(http, "create_ssl_context", _certificates)
    monkeypatch.setattr(download, "create_ssl_context", _certificates)
    monkeypatch.setitem(Downloader.__init__.__kwdefaults__, "pauses", (0.001, 0.001, 0.001))
    told: list[float | None] = []
    limited = Limiter.limited

    def noted(self: Limiter, retry_after: float | None) -> None:
        told.append(retry_after)
        limited(self, retry_after)

    monkeypatch.setattr(Limiter, "limited", noted)
    return told


@pytest.fixture
def bench(
    fakes: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    waits: list[Any],
) -> Bench:
    fakes.reset()
    for variable, value in fakes.environment().items():
        monkeypatch.setenv(variable, value)
    caplog.set_level(logging.DEBUG)
    return Bench(fakes, tmp_path, monkeypatch, caplog, waits)
