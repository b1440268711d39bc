"""What came of each question: an answer with its date and model, or why there is none.

It reads the judging's journals and objects. A question that has not been sent, or whose end is still open, is
in no list: nothing is known about it, and nothing is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evalkit.judge.replies import Reply, read_reply
from evalkit.runs import read_generations
from evalkit.store import Workspace, read_records
from evalkit.types import Generation, Value

REASONS = {"refused": "judge_refused", "failed": "judge_failed", "unknown": "judge_unknown"}
"""Why there is no answer, by the status of its trial."""

NOTHING = Value(None)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question: its trial, when the answer came (UTC), and the reply or why there is none."""

    trial: str
    at: str
    reply: Reply | None
    nothing: Value = NOTHING

    @property
    def model(self) -> str:
        """The model as the endpoint calls it, empty where nobody answered."""
        return self.reply.model if self.reply else ""


def read_answers(workspace: Workspace, trials: Mapping[str, str]) -> dict[str, Answer]:
    """The answers to questions by key, `trials` being the trial of each."""
    made = read_generations(workspace)
    times = _times(workspace, trials.values())
    found = {}
    for key, trial in trials.items():
        if (generation := made.get(trial)) is not None:
            found[key] = _answer(workspace, generation, times.get((trial, generation.attempt), ""))
    return found


def _answer(workspace: Workspace, made: Generation, at: str) -> Answer:
    if made.images:
        return Answer(made.trial, at, read_reply(workspace.objects.get(made.images[0].sha256)))
    why = f"{made.kind}: {made.reason}" if made.kind else made.reason or ""
    return Answer(made.trial, at, None, Value(None, REASONS.get(made.status, "judge_failed"), why))


def _times(workspace: Workspace, trials: Iterable[str]) -> dict[tuple[str, int], str]:
    """When each attempt ended."""
    wanted, found = set(trials), {}
    for path in sorted(workspace.runs.glob("*/journal.jsonl")):
        for record in read_records(path):
            if record.get("type") == "done" and record.get("trial") in wanted:
                found[record["trial"], record.get("attempt", 1)] = str(record["t"])
    return found
