"""The providers' own clients against our fakes: what they accept as genuine, the fakes do faithfully.

They also show why evalkit does not use them: with an answer lost after the job was made, one call of theirs
makes up to ten jobs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.fakes import FakeServer
from evalkit.fakes.tls import make_context

pytestmark = pytest.mark.conformance

CLIENTS = Path(__file__).parent / "clients"
MODULES = {"fal": "fal_client", "replicate": "replicate", "openai": "openai", "gemini": "google.genai"}
SECONDS = 60


@pytest.fixture(scope="module")
def plain() -> Iterator[FakeServer]:
    with FakeServer(side=256) as fakes:
        yield fakes


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeServer, Path]]:
    """The fal client speaks nothing but https."""
    context, trusted = make_context(tmp_path_factory.mktemp("tls"))
    with FakeServer(tls=context, side=256) as fakes:
        yield fakes, trusted


def drive(client: str, scenario: str, prompt: str, environment: dict[str, str]) -> Any:
    """Run one scenario of a client's script; its answer is JSON on standard output."""
    try:
        found = importlib.util.find_spec(MODULES[client])
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{MODULES[client]} is not installed: pip install 'evalkit[conformance]'")
    script = CLIENTS / f"{client}_script.py"
    done = subprocess.run(
        [sys.executable, str(script), scenario, prompt],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NO_PROXY": "*", **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# fal ----------------------------------------------------------------------------------------------------


def fal(secure: tuple[FakeServer, Path], scenario: str, prompt: str) -> Any:
    fakes, trusted = secure
    fakes.reset()
    host = fakes.base("fal").removeprefix("https://")
    environment = {"FAL_KEY": "SENTINEL-KEY-fal", "SSL_CERT_FILE": str(trusted)}
    return drive("fal", scenario, prompt, environment | {"FAL_RUN_HOST": host, "FAL_QUEUE_RUN_HOST": host})


def test_fal_subscribes(secure: tuple[FakeServer, Path]) -> None:
    answer = fal(secure, "subscribe", "a fox")
    assert answer == {"updates": ["Queued", "InProgress", "Completed"], "images": 2}
    assert [billed.n for billed in secure[0].ledger()] == [2]


def test_fal_takes_up_a_request_again(secure: tuple[FakeServer, Path]) -> None:
    assert fal(secure, "resume", "a fox") == {"images": 1}
    assert len(secure[0].ledger()) == 1


def test_fal_learns_of_moderation_from_the_result(secure: tuple[FakeServer, Path]) -> None:
    answer = fal(secure, "error", "a fox [[end:moderation]]")
    assert (answer["status"], answer["type"]) == (422, None)
    assert "content_policy_violation" in answer["text"]


def test_fal_learns_of_a_broken_runner(secure: tuple[FakeServer, Path]) -> None:
    answer = fal(secure, "error", "a fox [[end:error]]")
    assert (answer["status"], answer["type"]) == (500, "runner_server_error")


def test_fal_cancels(secure: tuple[FakeServer, Path]) -> None:
    answer = fal(secure, "cancel", "a fox [[poll:stuck]]")
    assert answer == {"waiting": "Queued", "ended": "Completed", "type": "client_cancelled"}


def test_fal_uploads(secure: tuple[FakeServer, Path]) -> None:
    answer = fal(secure, "upload", "some bytes")
    assert answer["url"].startswith(secure[0].url + "/uploads/")


def test_fal_makes_ten_jobs_when_an_answer_is_lost(secure: tuple[FakeServer, Path]) -> None:
    assert "error" in fal(secure, "lost", "a fox [[submit:drop_after]]")
    assert len(secure[0].ledger()) == 10


# Replicate ----------------------------------------------------------------------------------------------


def replicate(plain: FakeServer, scenario: str, prompt: str) -> Any:
    plain.reset()
    base = plain.base("replicate") + "/"
    environment = {"REPLICATE_API_TOKEN": "SENTINEL-KEY-replicate", "REPLICATE_BASE_URL": base}
    return drive("replicate", scenario, prompt, environment)


def test_replicate_runs_a_model(plain: FakeServer) -> None:
    assert replicate(plain, "run", "a fox") == {"forms": ["WEBP", "WEBP"]}
    assert [billed.n for billed in plain.ledger()] == [2]


def test_replicate_learns_of_moderation(plain: FakeServer) -> None:
    answer = replicate(plain, "error", "a fox [[end:moderation]]")
    assert (answer["error"], answer["status"]) == ("ModelError", "failed")
    assert "E005" in answer["text"]


def test_replicate_learns_of_missing_credit(plain: FakeServer) -> None:
    answer = replicate(plain, "error", "a fox [[submit:402]]")
    assert answer == {"error": "ReplicateError", "status": 402, "title": "Insufficient credit"}


def test_replicate_cancels(plain: FakeServer) -> None:
    assert replicate(plain, "cancel", "a fox [[poll:stuck]]") == {"status": "canceled"}


def test_replicate_makes_one_job_when_an_answer_is_lost(plain: FakeServer) -> None:
    assert "error" in replicate(plain, "lost", "a fox [[submit:drop_after]]")
    assert len(plain.ledger()) == 1


# OpenAI -------------------------------------------------------------------------------------------------


def openai(plain: FakeServer, scenario: str, prompt: str, key: str = "SENTINEL-KEY-openai") -> Any:
    plain.reset()
    return drive("openai", scenario, prompt, {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": plain.base("openai")})


def test_openai_generates(plain: FakeServer) -> None:
    answer = openai(plain, "generate", "a fox")
    assert (answer["sizes"], answer["tokens"]) == ([[256, 256], [256, 256]], 2112)
    assert answer["request"].startswith("req_")
    assert [billed.n for billed in plain.ledger()] == [2]


def test_openai_edits(plain: FakeServer) -> None:
    assert openai(plain, "edit", "make it blue") == {"images": 1}


@pytest.mark.parametrize(
    ("fault", "error", "code", "status"),
    [
        ("end:moderation", "BadRequestError", "moderation_blocked", 400),
        ("submit:quota", "RateLimitError", "insufficient_quota", 429),
        ("submit:429", "RateLimitError", "rate_limit_exceeded", 429),
    ],
)
def test_openai_reads_our_errors(plain: FakeServer, fault: str, error: str, code: str, status: int) -> None:
    answer = openai(plain, "error", f"a fox [[{fault}]]")
    assert answer == {"error": error, "code": code, "status": status}


def test_openai_reads_a_wrong_key(plain: FakeServer) -> None:
    answer = openai(plain, "error", "a fox", key="wrong")
    assert (answer["error"], answer["code"]) == ("AuthenticationError", "invalid_api_key")


def test_openai_makes_three_jobs_when_an_answer_is_lost(plain: FakeServer) -> None:
    assert "error" in openai(plain, "lost", "a fox [[submit:drop_after]]")
    assert len(plain.ledger()) == 3


def test_openai_speaks_to_azure(plain: FakeServer) -> None:
    plain.reset()
    environment = {
        "AZURE_OPENAI_API_KEY": "SENTINEL-KEY-azure",
        "AZURE_OPENAI_ENDPOINT": plain.base("azure"),
        "OPENAI_API_VERSION": "2026-01-01-preview",
    }
    assert drive("openai", "azure", "a fox", environment) == {"images": 1}
    assert [billed.provider for billed in plain.ledger()] == ["azure"]


# Google -------------------------------------------------------------------------------------------------


def gemini(plain: FakeServer, scenario: str, prompt: str, key: str = "SENTINEL-KEY-gemini") -> Any:
    plain.reset()
    environment = {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": plain.base("gemini")}
    return drive("gemini", scenario, prompt, environment)


def test_gemini_generates(plain: FakeServer) -> None:
    answer = gemini(plain, "generate", "a fox")
    assert answer == {"sizes": [[256, 145]], "reason": "STOP", "version": "gemini-2.5-flash-image"}


def test_gemini_learns_of_moderation(plain: FakeServer) -> None:
    answer = gemini(plain, "generate", "a fox [[end:moderation]]")
    assert (answer["sizes"], answer["reason"]) == ([], "IMAGE_SAFETY")


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [("submit:quota", 429, "RESOURCE_EXHAUSTED"), ("end:error", 503, "UNAVAILABLE")],
)
def test_gemini_reads_our_errors(plain: FakeServer, fault: str, code: int, status: str) -> None:
    assert gemini(plain, "error", f"a fox [[{fault}]]") == {"code": code, "status": status}


def test_gemini_reads_a_wrong_key(plain: FakeServer) -> None:
    assert gemini(plain, "error", "a fox", key="wrong") == {"code": 400, "status": "INVALID_ARGUMENT"}


def test_gemini_makes_one_job_when_an_answer_is_lost(plain: FakeServer) -> None:
    assert "error" in gemini(plain, "lost", "a fox [[submit:drop_after]]")
    assert len(plain.ledger()) == 1
