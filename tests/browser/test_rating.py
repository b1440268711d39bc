"""A person with a keyboard, a mouse that double-clicks and a page that is loaded again in the middle."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from make_run import MARKER

from evalkit.store import Workspace
from evalkit.study.define import load_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response, Route, WebSocket

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

Serve = Callable[..., tuple[subprocess.Popen[str], str]]
READY = ".rater:not(.quiet) .answer:enabled"


@dataclass
class Wire:
    """Everything a page asked for and everything it was told."""

    hosts: Counter[str] = field(default_factory=Counter)
    responses: list[Response] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self.hosts.update([str(urlsplit(request.url).hostname)]))
        page.on("response", self._response)
        page.route("**/img/**", self._picture)
        page.on("websocket", self._websocket)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)

    def _response(self, response: Response) -> None:
        self.responses.append(response)

    def _picture(self, route: Route) -> None:
        """Chromium does not keep the bytes of pictures, so they are read on their way."""
        response = route.fetch()
        self.received.append(response.body())
        route.fulfill(response=response)

    def drain(self) -> None:
        """Keep what came until now; a page that is left takes the bodies of its answers with it."""
        for response in self.responses:
            head = "\n".join(f"{k}: {v}" for k, v in response.headers.items())
            path = urlsplit(response.url).path
            ours = path == "/" or path.startswith("/api/")
            self.received.append(head.encode() + b"\n" + (response.body() if ours else b""))
        self.responses.clear()

    def _websocket(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda f: self.received.append(f if isinstance(f, bytes) else f.encode()))


def ballots(workspace: Workspace) -> list[dict[str, Any]]:
    files = sorted((workspace.votes / "s").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def opened(browser: Browser, url: str, wire: Wire | None = None, **context: Any) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}, **context).new_page()
    if wire is not None:
        wire.watch(page)
    page.goto(url)
    page.wait_for_selector(".veil.open")
    page.wait_for_selector(".pane[data-side=a] .own")
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    return page


def prompt(page: Page) -> str:
    return page.inner_text(".request .text")


def counted(page: Page, done: int) -> None:
    page.get_by_text(f"{done} of 20", exact=True).wait_for(timeout=20_000)


def rate(page: Page, key: str = "1") -> None:
    """One pair by keyboard: as many presses as it has questions, then the next pair or the end."""
    page.wait_for_selector(READY)
    done = int(page.inner_text(".count").split()[0])
    for _ in range(page.locator(".row").count()):
        page.keyboard.press(key)
    counted(page, done + 1)


def test_twenty_pairs_by_keyboard_are_twenty_ballots(
    workspace: Workspace, serve: Serve, browser: Browser
) -> None:
    _, url = serve()
    wire = Wire()
    page = opened(browser, url, wire)
    for n in range(7):
        rate(page, "1234"[n % 4])

    page.wait_for_selector(READY)
    page.keyboard.down("1")
    for _ in range(12):
        page.keyboard.down("1")
    page.keyboard.up("1")
    assert page.locator(".answer[aria-pressed=true]").count() == 1, "a held key answers one question"
    for _ in range(page.locator(".row").count() - 1):
        page.keyboard.press("2")
    counted(page, 8)

    wire.drain()
    page.reload()
    for _ in range(2):
        rate(page, "ArrowRight")

    page.wait_for_selector(READY)
    rows = page.locator(".row")
    for n in range(rows.count() - 1):
        rows.nth(n).locator(".answer").first.click()
    rows.last.locator(".answer").first.dblclick()
    counted(page, 11)
    page.wait_for_selector(READY)
    assert page.locator(".answer[aria-pressed=true]").count() == 0, "the second click is not an answer"

    for _ in range(9):
        rate(page, "3")
    page.wait_for_selector(".finished")
    assert "20 of 20" in page.inner_text(".count")
    wire.drain()
    page.context.close()

    written = ballots(workspace)
    assert (
        len(written) == len({b["ballot"] for b in written}) == len({b["comparison"] for b in written}) == 20
    )
    assert len({b["rater"] for b in written}) == 1
    assert Counter(b["client"]["input"] for b in written) == {"keyboard": 19, "mouse": 1}
    assert all(b["client"]["visible_ms"] >= 200 for b in written)
    assert not any(b["simulated"] for b in written)
    sides = Counter(b["left"]["system"] for b in written)
    assert set(sides.values()) == {10}
    check_the_wire(workspace, wire)


def check_the_wire(workspace: Workspace, wire: Wire) -> None:
    """No name, no metadata, no other host, no error on the console."""
    study = load_study(workspace, "s")
    secrets = {MARKER, *study.systems, *(c.trial_a for c in study.comparisons)}
    secrets |= {c.id for c in study.comparisons} | {c.image_a for c in study.comparisons}
    everything = b"\n".join(wire.received)
    assert len(wire.received) > 80
    assert everything.count(b"WEBPVP8L") >= 20 * 2 + 13
    assert not [s for s in secrets if s.encode() in everything]
    assert set(wire.hosts) <= {"127.0.0.1", "None"}, "blob: addresses have no host"
    assert wire.problems == []


def test_votes_given_while_the_server_is_away_arrive_once(
    workspace: Workspace, serve: Serve, browser: Browser
) -> None:
    _, url = serve()
    page = opened(browser, url)
    rate(page)
    page.context.set_offline(True)
    for _ in range(2):
        page.wait_for_selector(READY)
        for _ in range(page.locator(".row").count()):
            page.keyboard.press("2")
    assert "Offline" in page.wait_for_selector(".saving[data-state=offline]").inner_text()
    assert len(ballots(workspace)) == 1
    page.context.set_offline(False)
    counted(page, 3)
    page.context.close()
    written = ballots(workspace)
    assert len(written) == len({b["ballot"] for b in written}) == 3


def test_a_server_killed_and_started_again_under_an_open_page(
    workspace: Workspace, serve: Serve, browser: Browser
) -> None:
    process, url = serve()
    page = opened(browser, url)
    for _ in range(3):
        rate(page)
    page.wait_for_selector(READY)
    page.keyboard.press("1")
    shown = prompt(page)
    process.kill()
    process.wait()
    assert len(ballots(workspace)) == 3, "what was acknowledged is there"
    serve(urlsplit(url).port or 0)
    page.wait_for_timeout(3000)
    assert prompt(page) == shown
    assert page.locator(".answer[aria-pressed=true]").count() == 1, "Streamlit's new session changes nothing"
    for _ in range(page.locator(".row").count() - 1):
        page.keyboard.press("2")
    counted(page, 4)
    rate(page)
    page.reload()
    page.wait_for_selector(READY)
    assert page.inner_text(".count") == "5 of 20"
    page.context.close()
    written = ballots(workspace)
    assert len(written) == len({b["ballot"] for b in written}) == 5


def test_pictures_move_together_and_blink(serve: Serve, browser: Browser) -> None:
    _, url = serve()
    page = opened(browser, url)
    while page.locator(".stage.edit").count() == 0:
        rate(page)
        page.wait_for_selector(READY)
    page.keyboard.press("+")
    page.keyboard.press("+")
    own = page.locator(".pane .own")
    told = [own.nth(n).evaluate("(e) => getComputedStyle(e).transform") for n in range(own.count())]
    assert len(told) == 3
    for transform in told:
        scale, _, _, _, x, y = (float(number) for number in transform[7:-1].split(","))
        assert (scale, x) == (1.5625, pytest.approx(y))
        assert x == pytest.approx(float(told[0][7:-1].split(",")[4]), abs=0.1)
    page.keyboard.press("0")

    boxes = [page.locator(f".pane[data-side={s}] .frame").bounding_box() for s in ("a", "b")]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert (boxes[0]["width"], boxes[0]["height"]) == (boxes[1]["width"], boxes[1]["height"])

    over = page.locator(".pane[data-side=a] .other")
    page.keyboard.down(" ")
    assert over.is_visible()
    assert page.inner_text(".pane[data-side=a] .tag") == "B"
    page.keyboard.up(" ")
    assert not over.is_visible()
    page.keyboard.press("s")
    assert page.locator(".pane[data-side=b] .layer.source").is_visible()
    page.keyboard.press("s")
    assert not page.locator(".pane[data-side=b] .layer.source").is_visible()
    page.context.close()


def test_a_prompt_is_text_and_modifiers_do_not_vote(
    serve: Serve, browser: Browser, workspace: Workspace
) -> None:
    plan = workspace.runs / "r1" / "plan.json"
    hostile = "<img src=x onerror=alert(1)><b>apple</b>"
    plan.write_text(plan.read_text().replace("a red apple on table number", json.dumps(hostile)[1:-1]))
    _, url = serve()
    page = opened(browser, url)
    while "<img" not in prompt(page):
        rate(page)
        page.wait_for_selector(READY)
    assert page.locator(".request b").count() == 0
    page.keyboard.press("Control+1")
    page.keyboard.press("Alt+2")
    assert page.locator(".answer[aria-pressed=true]").count() == 0
    page.context.close()


@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (360, 640), (844, 390)])
def test_everything_fits_on_the_screen_and_can_be_touched(
    serve: Serve, browser: Browser, size: tuple[int, int]
) -> None:
    _, url = serve()
    page = opened(browser, url)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 43.9
        assert box["width"] >= 43.9
    if size[1] >= 640:
        last = page.locator(".answer").last.bounding_box()
        assert last is not None
        assert last["y"] + last["height"] <= size[1]
    frame = page.locator(".pane[data-side=a] .frame").bounding_box()
    assert frame is not None
    assert frame["width"] > 100
    page.context.close()
