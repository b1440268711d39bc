from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from PIL import Image

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.ids import sha256
from evalkit.providers import comfyui
from evalkit.providers.base import Provider, Settings
from evalkit.providers.comfyui import ComfyUI
from evalkit.providers.sizes import pixels
from evalkit.types import Case, Delivered, Failed, ImageInput, Job, Mask, Rejected, Request, System


def png(colour: str = "red", size: tuple[int, int] = (32, 24)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def picture(data: bytes) -> ImageInput:
    return ImageInput(data, sha256(data), 32, 24)


GRAPH: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": "{{seed}}", "steps": "{{steps}}", "model": ["4", 0]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": "{{width}}", "height": "{{height}}"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "photo of {{prompt}}, sharp"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "{{negative_prompt}}"}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}},
}
EDIT: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "{{source}}"}},
    "2": {"class_type": "LoadImageMask", "inputs": {"image": "{{mask}}", "channel": "red"}},
    "3": {"class_type": "Inpaint", "inputs": {"text": "{{ prompt }}", "seed": "{{seed}}"}},
    "9": {"class_type": "SaveImage", "inputs": {}},
}


class Comfy:
    """A ComfyUI that does as told: `looks` polls until the end, then `ending`."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.uploads: list[bytes] = []
        self.cancelled: list[Any] = []
        self.jobs: dict[str, int] = {}
        self.looks = 2
        self.ending: dict[str, Any] | None = None
        self.reject: dict[str, Any] | None = None
        self.own_ids = False
        self.lose_answers = 0
        self.fail: dict[str, int] = {}
        self.view = png()
        self.base = ""

    def entry(self) -> dict[str, Any]:
        saved = [
            {"filename": "b.png", "subfolder": "s", "type": "output"},
            {"filename": "t.png", "subfolder": "", "type": "temp"},
        ]
        return self.ending or {
            "outputs": {"9": {"images": saved}, "10": {"text": ["x"]}},
            "status": {"status_str": "success", "completed": True, "messages": []},
        }

    def get(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path.startswith("/history/"):
            job = path.rpartition("/")[2]
            if job not in self.jobs or self.jobs[job] > 0:
                return 200, {}
            return 200, {job: self.entry()}
        if path == "/queue":
            running, pending = [], []
            for job, left in self.jobs.items():
                where = running if 0 < left < self.looks else pending
                if left > 0:
                    where.append([0, job, {}, {}, []])
                    self.jobs[job] -= 1
            return 200, {"queue_running": running, "queue_pending": pending}
        if path == "/view":
            assert query == {"filename": ["b.png"], "subfolder": ["s"], "type": ["output"]}
            return 200, self.view
        if path == "/system_stats":
            return 200, {"system": {"comfyui_version": "0.9.2"}}
        return 404, {}

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/upload/image":
            self.uploads.append(body)
            return 200, {"name": f"up{len(self.uploads)}.png", "subfolder": "in", "type": "input"}
        said = json.loads(body)
        if path == "/prompt":
            if self.reject is not None:
                return 400, self.reject
            self.posted.append(said)
            job = "own-id" if self.own_ids else said["prompt_id"]
            self.jobs[job] = self.looks
            return 200, {"prompt_id": job, "number": 1, "node_errors": {}}
        self.cancelled.append((path, said))
        for job in said.get("delete", []):
            self.jobs.pop(job, None)
        return 200, {}


@pytest.fixture
def comfy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Comfy]:
    state = Comfy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._answer("GET", parts.path, lambda: state.get(parts.path, parse_qs(parts.query, True)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer("POST", self.path, lambda: state.post(self.path, body))
            assert "authorization" not in self.headers

        def _answer(self, method: str, path: str, work: Any) -> None:
            state.calls.append((method, path))
            kind = path.split("/")[1]
            if state.fail.get(kind, 0) > 0:
                state.fail[kind] -= 1
                self.send_error(500)
                return
            status, said = work()
            if path == "/prompt" and state.lose_answers > 0:
                state.lose_answers -= 1
                return
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    monkeypatch.setattr(comfyui, "POLL_SECONDS", (0.005, 0.01))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.base = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("EVALKIT_COMFYUI_BASE", state.base + "/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


class Ledger:
    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def accepted(self, job: Job) -> None:
        self.jobs.append(job)


def made(folder: Path, graph: Any = GRAPH, query: str = "steps=20", **settings: Any) -> Provider:
    path = folder / "workflow.json"
    path.write_text(json.dumps(graph))
    return ComfyUI(System("comfyui", str(path), dict(parse_qsl(query))), Settings(**settings))


def request(provider: Provider, case: Case, *, replicate: int = 0, **inputs: Any) -> Request:
    ask = provider.ask(case)
    return Request(
        trial=f"trial-{case.id}-{replicate}",
        suite="s",
        case=case.id,
        replicate=replicate,
        task=case.task,
        prompt=case.prompt,
        aspect_ratio=ask.aspect_ratio,
        model=ask.model,
        params=ask.params,
        **inputs,
    )


def generate(provider: Provider, asked: Request, ledger: Ledger | None = None) -> Any:
    async def main() -> Any:
        try:
            return await provider.generate(asked, ledger or Ledger())
        finally:
            await provider.aclose()

    return asyncio.run(main())


CAT = Case("cat", 'a "cat" {{seed}}', aspect_ratio="16:9")
HAT = Case("hat", "add a hat", task="edit", source="a.png", mask=Mask(file="m.png"))


def test_a_picture(comfy: Comfy, tmp_path: Path) -> None:
    provider, ledger = made(tmp_path, query="steps=20&seed=5&size=512"), Ledger()
    outcome = generate(provider, request(provider, CAT, replicate=2), ledger)
    assert isinstance(outcome, Delivered)
    assert [one.data for one in outcome.pictures] == [png()]
    assert outcome.wanted == 1
    (posted,) = comfy.posted
    graph = posted["prompt"]
    assert graph["3"]["inputs"] == {"seed": 7, "steps": 20, "model": ["4", 0]}
    assert graph["5"]["inputs"] == dict(zip(("width", "height"), pixels("16:9", 512), strict=True))
    assert graph["6"]["inputs"]["text"] == 'photo of a "cat" {{seed}}, sharp'
    assert graph["7"]["inputs"]["text"] == ""
    assert [job.id for job in ledger.jobs] == [posted["prompt_id"]]
    timings = outcome.timings
    assert timings is not None
    assert timings.run is not None
    assert 0 < timings.run < timings.total


def test_sizes_keep_the_area_and_the_step() -> None:
    assert pixels("1:1", 1024) == (1024, 1024)
    assert pixels("9:16", 1024) == (768, 1360)
    for ratio in ("4:3", "3:4", "3:2", "2:3"):
        width, height = pixels(ratio, 512)
        across, down = map(int, ratio.split(":"))
        assert width % 16 == height % 16 == 0
        assert width / height == pytest.approx(across / down, rel=0.03)
        assert width * height == pytest.approx(512 * 512, rel=0.03)


def test_an_edit_uploads_source_and_mask(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path, EDIT, "")
    source, mask = png("blue"), png("white")
    asked = request(provider, HAT, source=picture(source), mask=picture(mask))
    assert isinstance(generate(provider, asked), Delivered)
    graph = comfy.posted[0]["prompt"]
    assert graph["1"]["inputs"]["image"] == "in/up1.png"
    assert graph["2"]["inputs"]["image"] == "in/up2.png"
    assert source in comfy.uploads[0]
    assert mask in comfy.uploads[1]
    assert provider.ask(HAT).mask


def test_a_mask_stays_home_where_nobody_wants_it(tmp_path: Path) -> None:
    assert not made(tmp_path, {k: v for k, v in EDIT.items() if k != "2"}, "").ask(HAT).mask


def test_ids_depend_on_the_trial_only(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path)
    for replicate in (0, 0, 1):
        comfy.jobs.clear()
        generate(provider, request(provider, CAT, replicate=replicate))
    first, again, other = (posted["prompt_id"] for posted in comfy.posted)
    assert first == again != other


def test_a_lost_answer_is_looked_up_and_not_sent_again(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path)
    comfy.lose_answers = 1
    asked = request(provider, CAT)
    first = generate(provider, asked)
    assert isinstance(first, Rejected)
    assert first.kind == "transient"
    outcome = generate(provider, asked)
    assert isinstance(outcome, Delivered)
    assert outcome.timings is None
    assert len(comfy.posted) == 1


def test_a_failed_job_of_before_is_sent_again(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path)
    comfy.ending = {"outputs": {}, "status": {"status_str": "error", "completed": False, "messages": []}}
    assert generate(provider, request(provider, CAT)).kind == "permanent"
    comfy.ending = None
    comfy.looks = 0
    comfy.jobs = dict.fromkeys(comfy.jobs, 0)
    comfy.ending = {"outputs": {}, "status": {"status_str": "error"}}
    generate(provider, request(provider, CAT))
    assert len(comfy.posted) == 2


def test_an_old_server_chooses_its_own_id(comfy: Comfy, tmp_path: Path) -> None:
    comfy.own_ids = True
    provider, ledger = made(tmp_path), Ledger()
    assert isinstance(generate(provider, request(provider, CAT), ledger), Delivered)
    assert [job.id for job in ledger.jobs] == ["own-id"]


def test_an_old_server_without_status(comfy: Comfy, tmp_path: Path) -> None:
    comfy.ending = {"outputs": comfy.entry()["outputs"]}
    provider = made(tmp_path)
    assert isinstance(generate(provider, request(provider, CAT)), Delivered)


def test_resume_asks_for_the_result_only(comfy: Comfy, tmp_path: Path) -> None:
    comfy.jobs["job-1"] = 2
    provider = made(tmp_path)

    async def main() -> Any:
        try:
            return await provider.resume(request(provider, CAT), Job("job-1"))
        finally:
            await provider.aclose()

    outcome = asyncio.run(main())
    assert isinstance(outcome, Delivered)
    assert outcome.timings is None
    assert comfy.posted == []


def test_a_graph_that_is_not_taken(comfy: Comfy, tmp_path: Path) -> None:
    comfy.reject = {
        "error": {"type": "x", "message": "Prompt outputs failed validation", "details": ""},
        "node_errors": {
            "4": {"errors": [{"message": "Value not in list", "details": "ckpt_name: 'a.safetensors'"}]}
        },
    }
    provider, ledger = made(tmp_path), Ledger()
    outcome = generate(provider, request(provider, CAT), ledger)
    assert outcome == Rejected(
        "validation",
        "ComfyUI does not take the workflow: Prompt outputs failed validation; "
        "node 4: Value not in list ckpt_name: 'a.safetensors'",
    )
    assert ledger.jobs == []


@pytest.mark.parametrize(
    ("messages", "kind", "words"),
    [
        (
            [
                ["execution_start", {}],
                ["execution_error", {"node_id": "3", "node_type": "KSampler", "exception_message": "OOM\n"}],
            ],
            "permanent",
            "node 3 (KSampler): OOM",
        ),
        ([["execution_interrupted", {}]], "cancelled", "interrupted"),
        (None, "permanent", "does not explain"),
        ([5, ["execution_error"]], "permanent", "does not explain"),
    ],
)
def test_how_jobs_fail(comfy: Comfy, tmp_path: Path, messages: Any, kind: str, words: str) -> None:
    comfy.ending = {"outputs": {}, "status": {"status_str": "error", "messages": messages}}
    provider = made(tmp_path)
    outcome = generate(provider, request(provider, CAT))
    assert isinstance(outcome, Failed)
    assert outcome.kind == kind
    assert words in outcome.message


def test_a_job_that_does_not_end_is_cancelled(comfy: Comfy, tmp_path: Path) -> None:
    comfy.looks = 10**9
    provider = made(tmp_path, deadline=0.1)
    outcome = generate(provider, request(provider, CAT))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"
    job = comfy.posted[0]["prompt_id"]
    assert comfy.cancelled == [("/queue", {"delete": [job]}), ("/interrupt", {"prompt_id": job})]


def test_only_the_job_at_work_is_interrupted(comfy: Comfy, tmp_path: Path) -> None:
    """An older ComfyUI stops whatever it is doing, which may be somebody else's job."""
    comfy.looks = 10**9
    comfy.jobs["other"] = 5
    provider = made(tmp_path, deadline=0.05)
    original = comfy.get

    def always_pending(path: str, query: Any) -> tuple[int, Any]:
        if path == "/queue":
            pending = [[0, job, {}, {}, []] for job in comfy.jobs if job != "other"]
            return 200, {"queue_running": [[0, "other", {}, {}, []]], "queue_pending": pending}
        return original(path, query)

    comfy.get = always_pending
    assert generate(provider, request(provider, CAT)).kind == "timeout"
    assert [path for path, _ in comfy.cancelled] == ["/queue"]


def test_a_forgotten_job(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path)

    async def main() -> Any:
        try:
            return await provider.resume(request(provider, CAT), Job("gone"))
        finally:
            await provider.aclose()

    outcome = asyncio.run(main())
    assert isinstance(outcome, Failed)
    assert outcome.kind == "permanent"
    assert "restarted" in outcome.message


def test_hiccups_while_waiting_and_fetching(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path)
    comfy.looks = 0

    async def main() -> Any:
        asked = request(provider, CAT)
        job = await provider._submit(asked, "job-1")
        comfy.fail = {"history": 2, "view": 1}
        try:
            return await provider.resume(asked, Job(job))
        finally:
            await provider.aclose()

    assert isinstance(asyncio.run(main()), Delivered)


def test_pictures_that_are_none(comfy: Comfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfyui, "PATIENCE", 2)
    for view in (png()[:-30], b"<html>", b""):
        comfy.view = view
        comfy.jobs.clear()
        provider = made(tmp_path)
        outcome = generate(provider, request(provider, CAT))
        assert isinstance(outcome, Failed)
        assert (outcome.kind, outcome.retrievable) == ("download", True)


def test_which_pictures_count(comfy: Comfy, tmp_path: Path) -> None:
    one = {"filename": "b.png", "subfolder": "s", "type": "output"}
    comfy.ending = {"outputs": {"12": {"images": [one]}, "9": {"images": [one, one]}}}
    provider = made(tmp_path)
    assert len(generate(provider, request(provider, CAT)).pictures) == 3
    provider = made(tmp_path, query="steps=20&node=12")
    assert len(generate(provider, request(provider, CAT)).pictures) == 1
    provider = made(tmp_path, query="steps=20&node=13")
    outcome = generate(provider, request(provider, CAT))
    assert isinstance(outcome, Failed)
    assert "node 13 saved no picture" in outcome.message


def test_nobody_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_COMFYUI_BASE", "http://127.0.0.1:1")
    provider = made(tmp_path)
    outcome = generate(provider, request(provider, CAT))
    assert isinstance(outcome, Rejected)
    assert outcome.kind == "transient"
    assert "http://127.0.0.1:1" in outcome.message
    assert not asyncio.run(provider.check()).ok


def test_check_says_which_server(comfy: Comfy, tmp_path: Path) -> None:
    provider = made(tmp_path)

    async def main() -> Any:
        try:
            return await provider.check()
        finally:
            await provider.aclose()

    assert asyncio.run(main()).message == f"ComfyUI 0.9.2 at {comfy.base}"


# plans


def test_the_fingerprint_is_the_file(tmp_path: Path) -> None:
    first = made(tmp_path).fingerprint("s", CAT, 0)
    assert first == sha256(json.dumps(GRAPH).encode())
    assert made(tmp_path, GRAPH | {"11": {"class_type": "X", "inputs": {}}}).fingerprint("s", CAT, 0) != first


def test_without_a_seed_there_is_one_replicate(tmp_path: Path) -> None:
    still = json.loads(json.dumps(GRAPH).replace("{{seed}}", "7"))
    assert made(tmp_path, still).replicates("s", CAT, 4) == 1
    assert made(tmp_path).replicates("s", CAT, 4) == 4


def test_a_shape_that_cannot_be_asked_for(tmp_path: Path) -> None:
    fixed = {k: v for k, v in GRAPH.items() if k != "5"}
    with pytest.raises(UsageError, match="no ratio can be asked for"):
        made(tmp_path, fixed).ask(CAT)
    assert made(tmp_path, fixed, allow_degrade=True).ask(CAT).notes == (
        "aspect_ratio: as the workflow has it",
    )


@pytest.mark.parametrize(
    ("graph", "query", "error", "words"),
    [
        (GRAPH, "", UsageError, "steps"),
        (GRAPH, "steps=20&step=3", UnknownName, "step"),
        (GRAPH, "steps=20&prompt=x", UnknownName, "prompt"),
        (GRAPH, "steps=20&seed=x", UsageError, "seed=x"),
        (GRAPH, "steps=20&size=9", UsageError, "size=9"),
        ({"1": {"class_type": "X", "inputs": {}}}, "", UsageError, "{{prompt}}"),
        ({"nodes": [], "links": []}, "", InvalidInput, "API format"),
        ([], "", InvalidInput, "API format"),
    ],
)
def test_systems_that_cannot_be(tmp_path: Path, graph: Any, query: str, error: Any, words: str) -> None:
    with pytest.raises(error) as caught:
        made(tmp_path, graph, query)
    assert words in caught.value.message


def test_cases_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes no source"):
        made(tmp_path).ask(HAT)
    with pytest.raises(UsageError, match="needs a source"):
        made(tmp_path, EDIT, "").ask(CAT)
    with pytest.raises(UsageError, match="needs a mask"):
        made(tmp_path, EDIT, "").ask(Case("hat", "x", task="edit", source="a.png"))


def test_files_and_bases_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        ComfyUI(System("comfyui", f"{tmp_path}/none.json"))
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(InvalidInput, match="not JSON"):
        ComfyUI(System("comfyui", f"{tmp_path}/x.json"))
    for base in ("file:///x", "127.0.0.1:8188", "http://"):
        monkeypatch.setenv("EVALKIT_COMFYUI_BASE", base)
        with pytest.raises(UsageError, match="EVALKIT_COMFYUI_BASE"):
            made(tmp_path)
