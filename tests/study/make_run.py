"""Writes a small finished run into a workspace: plan, journal and objects, without the runner."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin

from evalkit.ids import sha256
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, Trials, save_plan
from evalkit.store import Workspace
from evalkit.types import Case, System, Task

MARKER = "LEAKMARKER"
"""Part of every text a rater must never receive: system names, file names, metadata."""

Painter = Callable[[str, str], Image.Image]


@dataclass(frozen=True)
class FakeCase:
    id: str
    prompt: str
    task: Task = "t2i"
    suite: str = "product"


def noise(case: str, system: str, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A picture that depends on case and system only."""
    seed = int(sha256(f"{case}/{system}".encode())[:8], 16)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def marked_png(image: Image.Image, text: str) -> bytes:
    """A PNG that says `text` wherever a PNG can: text chunks, EXIF, colour profile."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    info.add_itxt("Software", text)
    exif = Image.Exif()
    exif[0x0131] = text
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info, exif=exif)
    return out.getvalue()


def cases(n: int, edits: int = 0) -> list[FakeCase]:
    t2i = [FakeCase(f"c{i:02d}", f"a red apple on table number {i}") for i in range(n)]
    edit = [FakeCase(f"e{i:02d}", f"make apple {i} green", "edit") for i in range(edits)]
    return t2i + edit


def make_run(
    workspace: Workspace,
    fakes: list[FakeCase],
    systems: tuple[str, ...] = (f"{MARKER}-alpha", f"{MARKER}-beta"),
    *,
    run: str = "r1",
    paint: Painter = noise,
) -> str:
    """Every system has one picture of every case."""
    folder = workspace.runs / run
    sources = {c.id: _put(workspace, paint(c.id, "source"), "source") for c in fakes if c.task == "edit"}
    trials, lines = [], []
    for index, case in enumerate(fakes):
        for position, system in enumerate(systems):
            trial = sha256(f"{case.suite}/{case.id}/{system}".encode())
            trials.append((trial, index, position, 0))
            lines.append(_done(trial, _put(workspace, paint(case.id, system), system)))
    plan = Plan(
        run,
        "2026-01-01T00:00:00.000000Z",
        tuple(_suite(name) for name in sorted({c.suite for c in fakes})),
        tuple(_case(case, sources.get(case.id)) for case in fakes),
        tuple(PlannedSystem(System(MARKER, name, label=name), replayable=True) for name in systems),
        Trials(trials),
    )
    save_plan(workspace, plan)
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def _suite(name: str) -> SuiteFacts:
    return SuiteFacts(name, "1", "", name, "CC0-1.0", "", synthetic=True)


def _case(fake: FakeCase, source: str | None) -> PlannedCase:
    case = Case(fake.id, fake.prompt, fake.task, cluster=fake.id, source=f"{MARKER}.png" if source else None)
    return PlannedCase(fake.suite, case, source)


def _put(workspace: Workspace, image: Image.Image, system: str) -> str:
    return workspace.objects.put(marked_png(image, f"{MARKER} made by {system}"))


def _done(trial: str, image: str) -> dict[str, object]:
    return {
        "type": "done",
        "trial": trial,
        "attempt": 1,
        "t": "2026-01-01T00:00:00+00:00",
        "status": "ok",
        "images": [{"sha256": image, "width": 48, "height": 40, "format": "png", "bytes": 1}],
    }
