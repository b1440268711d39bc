"""The Streamlit side: it shows a page, tells the page nothing it should not, and asks nobody else."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from make_run import MARKER
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import raters_app
from evalkit.errors import UnknownName, UsageError
from evalkit.store import Workspace
from raters_app import serving
from raters_app.security import BLOCKED, Security

FOLDER = Path(raters_app.__file__).parent


@pytest.fixture
def served(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv(serving.WORKSPACE, str(workspace.root))
    monkeypatch.setenv(serving.STUDY, "s1")
    yield workspace
    serving.close()


def run_apart(script: str, folder: Path | None = None) -> None:
    """Run in a process of its own: Streamlit's settings and gc.freeze belong to the whole process."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_learns_the_questions_and_nothing_about_systems(served: Workspace) -> None:
    from raters_app.pair_view import page_data

    data = page_data(serving.service())
    assert set(data) == {"title", "criteria", "min_view_ms"}
    assert data["title"] == "Fruit"
    assert [c["id"] for c in data["criteria"]] == ["alignment", "alignment", "preservation", "appeal"]
    assert data["criteria"][0] == asdict(serving.service().definition.criteria[0])
    assert MARKER not in json.dumps(data)


def test_the_script_runs(served: Workspace) -> None:
    script = textwrap.dedent(
        f"""
        import gc
        from streamlit.testing.v1 import AppTest
        app = AppTest.from_file({str(FOLDER / "main.py")!r}, default_timeout=30).run()
        assert not app.exception, app.exception
        assert gc.get_freeze_count() > 10_000, gc.get_freeze_count()
        """
    )
    run_apart(script)


def test_without_a_study_it_says_how_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(serving.STUDY, raising=False)
    with pytest.raises(UsageError) as error:
        serving.service()
    assert "evalkit rate" in error.value.hint


def test_only_an_app_that_listens_beyond_loopback_answers_to_other_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(serving.HOST, raising=False)
    assert "*" not in serving.allowed_hosts()
    monkeypatch.setenv(serving.HOST, "0.0.0.0")
    assert serving.allowed_hosts() == ["*"]


def test_closing_lets_go_of_the_study(served: Workspace) -> None:
    first = serving.service()
    assert serving.service() is first
    serving.close()
    assert serving.service() is not first


def test_every_answer_is_confined_to_our_host_and_streamlit_endpoints_are_shut() -> None:
    async def hello(_: object) -> PlainTextResponse:
        return PlainTextResponse("hello", headers={"Referrer-Policy": "same-origin"})

    app = Starlette(routes=[Route("/{path:path}", hello)], middleware=[Middleware(Security)])

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
            page = await client.get("/")
            assert page.text == "hello"
            assert page.headers["content-security-policy"].startswith("default-src 'self'")
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
            assert "http" not in page.headers["content-security-policy"]
            assert page.headers["referrer-policy"] == "same-origin", "what a route says itself stays"
            for path in BLOCKED:
                for shut in (path, f"{path}/x"):
                    answer = await client.get(shut)
                    assert answer.status_code == 404
                    assert "content-security-policy" in answer.headers
            assert (await client.get("/_stcore/health")).status_code == 200

    asyncio.run(main())


def test_our_settings_reach_streamlit_whatever_lies_in_the_working_directory(
    served: Workspace, tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[browser]\ngatherUsageStats = true\n")
    script = textwrap.dedent(
        """
        import raters_app.app
        from streamlit import config
        assert config.get_option("browser.gatherUsageStats") is False
        assert config.get_option("client.showErrorDetails") == "none"
        assert config.get_option("client.toolbarMode") == "minimal"
        assert config.get_option("server.fileWatcherType") == "none"
        assert config.get_option("server.enableAgentApi") is False
        """
    )
    run_apart(script, tmp_path)


def test_the_component_is_whole_and_asks_no_other_host() -> None:
    from raters_app.pair_view import SCRIPTS

    present = {path.name for path in (FOLDER / "component").glob("*.js")}
    assert present == set(SCRIPTS)
    for path in (FOLDER / "component").iterdir():
        if path.suffix in (".js", ".css", ".html"):
            text = path.read_text("utf-8")
            assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|outerHTML|eval\(", text), path.name
            assert len(text.splitlines()) < 400


def test_serving_a_wrong_study_or_a_taken_port_is_told_at_once(workspace: Workspace) -> None:
    import socket

    from raters_app.run import serve

    with pytest.raises(UnknownName, match="s2"):
        serve(workspace.root, "s2", open_browser=False)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError) as error:
        serve(workspace.root, "s1", taken.getsockname()[1], open_browser=False)
    assert "--port" in error.value.hint


def test_ctrl_c_stops_it_cleanly(workspace: Workspace) -> None:
    import signal

    script = "import sys; from pathlib import Path; from raters_app.run import serve;"
    script += "serve(Path(sys.argv[1]), 's1', 0, open_browser=False)"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(workspace.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    assert "Stop with Ctrl-C" in process.stdout.readline()
    page = httpx.get(url, follow_redirects=False)
    assert page.status_code == 303
    assert httpx.get(url.replace("/join", "/_stcore/metrics")).status_code == 404
    assert httpx.get(url.replace("/join", "/favicon.png")).headers["content-type"] == "image/png"
    assert httpx.get(url, headers={"Host": "rebound.example"}).status_code == 400
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err
