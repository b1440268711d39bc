"""`evalkit providers`: what it lists and shows, which accounts work, and what a probe says of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalkit.fakes import FakeServer
from evalkit.fakes.face import SENTINEL
from evalkit.fakes.server import KEYS
from evalkit.remote.catalog import specs

Result = subprocess.CompletedProcess[str]
Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for somebody who has just installed it, whatever this machine has."""
    ours = {
        part for spec in specs().values() for entry in (*spec.env, spec.base_env) for part in entry.split(":")
    }
    for name in list(os.environ):
        if name in ours or re.fullmatch(r"EVALKIT_\w+_BASE", name):
            monkeypatch.delenv(name)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    with FakeServer(polls=1, side=64) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Runs `evalkit providers ...`; no key of the fakes may come out, whatever is asked."""

    def run(*arguments: str) -> Result:
        command = [sys.executable, "-W", "error", "-m", "evalkit", "providers", *arguments]
        result = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
        )
        assert SENTINEL not in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    return run


def test_list_names_what_is_missing_and_never_a_value(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", f"{SENTINEL}replicate")
    text = call("list").stdout
    assert re.search(r"^fal .*needs FAL_KEY", text, re.M)
    assert re.search(r"^replicate +yes ", text, re.M)
    assert "0.0503" in text
    rows = {row["provider"]: row for row in json.loads(call("list", "--json").stdout)}
    assert set(specs()) < set(rows)
    assert rows["fal"]["missing"] == "FAL_KEY (or FAL_KEY_ID and FAL_KEY_SECRET)"
    assert rows["replicate"]["ready"] is True
    assert rows["pixazo"]["from_usd"] is None
    assert rows["local"]["from_usd"] == "0"
    assert rows["fal"]["tasks"] == ["t2i", "edit"]


def test_list_says_what_is_moved(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_FAL_BASE", "http://127.0.0.1:9/fal")
    monkeypatch.setenv("EVALKIT_BFL_BASE", "not an address")
    result = call("list")
    assert result.returncode == 0
    assert "fal is moved to http://127.0.0.1:9/fal" in result.stderr
    assert "bfl is moved to nowhere" in result.stderr


def test_show_has_a_row_for_every_model(call: Call) -> None:
    for name in ("fal", "openai", "pixazo"):
        text = call("show", name).stdout
        for row in specs()[name].models:
            assert row.id in text
    assert "https://queue.fal.run" in call("show", "fal").stdout
    assert "dall-e-3 (gone 2026-05-12)" in call("show", "openai").stdout
    assert "not documented" in call("show", "pixazo").stdout


def test_show_of_a_model_says_where_its_price_was_read(call: Call) -> None:
    text = call("show", "fal", "mai-image-2.5").stdout
    assert "fal:microsoft/mai-image-2.5 (t2i)" in text
    assert "fal:microsoft/mai-image-2.5/edit (edit)" in text
    assert "$0.05 a picture" in text
    assert "https://fal.ai/models/microsoft/mai-image-2.5/edit, read 2026-11-20" in text
    assert "longest prompt not documented" in text
    assert "parameters" in text
    gone = call("show", "openai", "gpt-image-1").stdout
    assert "since 2026-10-23" in gone


def test_show_is_json_without_loss(call: Call) -> None:
    shown = json.loads(call("show", "openai", "--json").stdout)
    page = Path(sys.modules["evalkit"].__file__ or "").parent / "providers" / "catalog" / "openai.toml"
    written = tomllib.loads(page.read_text())["model"]
    assert [row["id"] for row in shown["models"]] == [row["id"] for row in written]
    assert shown["models"][0]["tariff"]["image_out"] == written[0]["tariff"]["image_out"]
    assert shown["observed"] == []
    assert shown["moved"] is False


def test_show_of_what_is_not_there(call: Call) -> None:
    wrong = call("show", "fla")
    assert (wrong.returncode, "Did you mean fal" in wrong.stderr) == (2, True)
    wrong = call("show", "bfl", "flux-pro-9")
    assert (wrong.returncode, "unknown model of bfl" in wrong.stderr) == (2, True)
    assert "studio:clean" in call("show", "studio").stdout


def test_check_without_any_key_finds_nothing_wrong(call: Call) -> None:
    result = call("check")
    assert result.returncode == 0
    assert re.search(r"^fal +not configured +needs FAL_KEY", result.stdout, re.M)
    assert re.search(r"^studio +ok ", result.stdout, re.M)
    assert call("check", "fal").returncode == 3


def test_check_asks_every_account_for_nothing(call: Call, fake: FakeServer) -> None:
    result = call("check", "--json")
    rows = {row["provider"]: row["account"] for row in json.loads(result.stdout)}
    assert result.returncode == 0, result.stdout
    assert {rows[name] for name in KEYS if name != "chat"} <= {"ok", "cannot be told for free"}
    assert rows["fal"] == rows["each"] == rows["openai"] == "ok"
    assert fake.ledger() == []
    assert {seen.method for seen in fake.requests()} == {"GET"}


def test_check_finds_a_bad_key(call: Call, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "a-key-that-is-wrong-altogether")
    result = call("check", "fal", "each")
    assert result.returncode == 3
    assert re.search(r"^fal +not ok ", result.stdout, re.M)
    assert re.search(r"^each +ok ", result.stdout, re.M)
    assert "a-key-that-is-wrong" not in result.stdout + result.stderr


def test_check_reports_a_setting_that_is_no_address(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "some-key")
    monkeypatch.setenv("EVALKIT_FAL_BASE", "not an address")
    result = call("check")
    assert "EVALKIT_FAL_BASE is not the address of a service" in result.stdout
    assert result.returncode == 3


def test_check_of_a_server_that_is_not_there(call: Call) -> None:
    result = call("check", "local:http://127.0.0.1:9/v1")
    assert result.returncode == 3
    assert "cannot be reached" in result.stdout


def test_probe_says_first_what_it_will_send(call: Call, fake: FakeServer, tmp_path: Path) -> None:
    result = call("probe", "fal")
    assert result.returncode == 2
    assert "t2i-21x9" in result.stdout
    assert "at most $0.3179" in result.stdout
    assert "--budget" in result.stderr
    assert not fake.requests()
    assert not (tmp_path / "evalkit-workspace").exists()


def test_probe_pays_once_and_show_has_the_answers(call: Call, fake: FakeServer) -> None:
    result = call("probe", "each", "--budget", "0.30")
    assert result.returncode == 0, result.stderr
    assert "turned away" in result.stdout
    assert "Spent $0.2," in result.stdout
    paid = len(fake.ledger())
    again = json.loads(call("probe", "each", "--budget", "0.30", "--json").stdout)
    assert len(fake.ledger()) == paid
    assert again["spent_usd"] == "0.200000"
    shown = call("show", "each").stdout
    assert re.search(r"data URI +not documented +taken", shown)
    assert re.search(r"pictures, n=2 at 1:1 +at most 1 +2 of 2", shown)
    observed = json.loads(call("show", "each", "--json").stdout)["observed"]
    assert {fact["at"] for fact in observed} == {"loopback"}


def test_what_was_observed_elsewhere_is_not_shown(
    call: Call, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("probe", "each", "--budget", "1").returncode == 0
    monkeypatch.delenv("EVALKIT_EACH_BASE")
    assert json.loads(call("show", "each", "--json").stdout)["observed"] == []


def test_probe_reports_a_lost_answer_as_unknown(call: Call, fake: FakeServer) -> None:
    fake.faults("replicate", "submit:drop_after")
    result = call("probe", "replicate", "--budget", "1")
    assert result.returncode == 3
    assert re.search(r"t2i-one +unknown +nobody knows", result.stdout)


def test_probe_can_be_rehearsed_without_keys(call: Call, tmp_path: Path) -> None:
    result = call("probe", "bfl", "--rehearse")
    assert result.returncode == 0, result.stderr
    assert "t2i-one" in result.stdout
    assert not (tmp_path / "evalkit-workspace" / "observed").exists()


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["probe", "studio", "--model", "clean"], "nothing to probe", "catalog.md"),
        (["probe", "pixazo"], "nobody knows what", "--assume-price"),
        (["probe", "fal", "--task", "video"], "is no task", "t2i or edit"),
        (["probe", "fal", "--budget", "much"], "is not an amount", "--budget 2.50"),
        (["probe", "fal", "--budget", "1"], "cannot be asked yet", "FAL_KEY"),
        (["probe", "a1111"], "could be chosen", "--model"),
        (["check", "fla"], "unknown provider", "Did you mean fal"),
    ],
)
def test_errors_say_what_to_do(call: Call, arguments: list[str], message: str, hint: str) -> None:
    result = call(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert hint in result.stderr
