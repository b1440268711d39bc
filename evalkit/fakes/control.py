"""`/__fake__`: what a test, or a person with curl, reads and sets on a running server.

GET  ledger, requests, environment
POST reset, faults {"provider", "directives"}, clock {"advance": seconds}, hooks/deliver {"id", "times"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from evalkit.fakes import faults
from evalkit.fakes.face import Face
from evalkit.fakes.hooks import deliver
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Seen, World


class Control:
    """The control routes of one server."""

    def __init__(self, world: World, faces: Mapping[str, Face]) -> None:
        self._world = world
        self._faces = faces

    def answer(self, asked: Asked, path: str) -> Answer:
        try:
            return self._answer(asked, path)
        except (ValueError, KeyError) as wrong:
            return say({"error": f"{type(wrong).__name__}: {wrong}"}, 400)

    def _answer(self, asked: Asked, path: str) -> Answer:
        match asked.method, path.strip("/"):
            case "GET", "ledger":
                return say([asdict(billed) for billed in self._world.ledger])
            case "GET", "requests":
                return say([_row(seen) for seen in self._world.requests])
            case "POST", "reset":
                self._world.reset()
            case "POST", "faults":
                body = asked.json()
                set_faults(self._world, str(body.get("provider", "*")), str(body["directives"]))
            case "POST", "clock":
                self._world.offset += float(asked.json()["advance"])
            case "POST", "hooks/deliver":
                return self._deliver(asked.origin, asked.json())
            case _:
                return say({"error": f"no such control: {asked.method} {path}"}, 404)
        return say({"ok": True})

    def _deliver(self, origin: str, body: Mapping[str, Any]) -> Answer:
        """Deliver a job's webhook now, so many times; the job is over with that."""
        job = self._world.jobs[str(body["id"])]
        payload = self._faces[job.provider].hook(origin, job)
        times = int(body.get("times", 1))
        answer = say({"delivered": times})

        async def first() -> None:
            statuses = await deliver(self._world, job, payload, times)
            answer.body = say({"delivered": times, "statuses": list(statuses)}).body

        answer.first = first
        return answer


def set_faults(world: World, provider: str, directives: str) -> None:
    """Faults for every prompt of a provider (`*`: of all), with or without their brackets; empty: none.

    Raises `faults.BadDirective`.
    """
    text = directives.strip()
    text = text if not text or text.startswith("[[") else f"[[{text}]]"
    if text and not faults.parse(text):
        raise faults.BadDirective(f"no directive in {directives!r}")
    world.defaults[provider] = text


def _row(seen: Seen) -> dict[str, Any]:
    row = {name: getattr(seen, name) for name in ("t", "method", "path", "body_sha256")}
    return {**row, "headers": dict(seen.headers), "body": seen.body.decode("utf-8", "replace")[:10_000]}
