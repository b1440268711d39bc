"""What a judge's answer means: the probability of yes, numbers of a rubric, a choice, or why there is none.

It reads a chat completion as it was kept. An answer that is not what was asked for is None with a reason,
never 0 and never a guess: `judge_refused`, `truncated`, `unparsable`, `no_yes_no_token`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.judge.templates import CHOICES, HIGH, LOW, Template
from evalkit.types import Json, Value

NO_LOGPROBS = "no_logprobs"
"""The flag of a score that is a plain yes or no, because the endpoint gives no log probabilities."""

LONGEST = 2000
"""Characters of an answer that are kept as evidence; all of it is in the object store."""

_YES, _NO = "yes", "no"
_AROUND = " \t\r\n\"'`*_.,:;!()[]{}<>#▁Ġ"
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)
_DECLINES = re.compile(
    r"(?:i['’]?m |i am |we['’]?re )?(?:very |so )?(?:sorry|unable to|not able to)\b"
    r"|i (?:can['’]?t|cannot|can not|won['’]?t|must decline)\b"
    r"|(?:unfortunately,? )?(?:as an ai|this (?:request|image|picture|content) (?:violates|cannot))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: its text, its log probabilities if there are any, and the model that says it gave it."""

    text: str
    logprobs: Json = None
    model: str = ""
    cut: bool = False

    @property
    def evidence(self) -> str:
        return self.text[:LONGEST]


def read_reply(data: bytes) -> Reply:
    """A stored chat completion; an answer without text is an empty one."""
    body = _object(data)
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    choice: Mapping[str, Any] = first if isinstance(first, dict) else {}
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else ""
    model = body.get("model")
    return Reply(
        _text(content),
        choice.get("logprobs"),
        model if isinstance(model, str) else "",
        choice.get("finish_reason") == "length",
    )


def read_yes(reply: Reply) -> Value:
    """p(yes) / (p(yes) + p(no)) over the first token of the answer, all spellings of either taken together.

    That is VQAScore (Lin et al. 2024) with the two answers made to add up to one. Without log probabilities
    it is 1 or 0, by the first word of the answer, and flagged.
    """
    found = _first_token(reply.logprobs)
    if found is None:
        return _plain(reply)
    yes, no = (sum(p for word, p in found if word == wanted) for wanted in (_YES, _NO))
    detail = f"{reply.evidence}\np(yes) {yes:.4f}, p(no) {no:.4f}"
    if yes + no <= 0:
        return Value(None, _why_none(reply, "no_yes_no_token"), detail)
    return Value(yes / (yes + no), None, detail)


def read_scores(reply: Reply, asked: Template) -> dict[str, Value]:
    """A number from 0 to 10 under each name of the template; all None unless all are there and fit."""
    body = _strict(reply.text)
    wanted = {"why", *asked.scores}
    numbers = {name: _number(body.get(name)) for name in asked.scores} if body else {}
    if not body or set(body) != wanted or None in numbers.values():
        nothing = Value(None, _why_none(reply, "unparsable"), reply.evidence)
        return dict.fromkeys(asked.scores, nothing)
    return {name: Value(number, None, reply.evidence) for name, number in numbers.items()}


def read_choice(reply: Reply) -> tuple[str | None, str | None]:
    """`first`, `second` or `tie` and no reason, or None and why there is none."""
    body = _strict(reply.text)
    chosen = body.get("better") if body else None
    if not body or set(body) != {"why", "better"} or chosen not in CHOICES:
        return None, _why_none(reply, "unparsable")
    return str(chosen), None


def _plain(reply: Reply) -> Value:
    words = reply.text.strip(_AROUND).split()
    word = _word(words[0]) if words else ""
    if word not in (_YES, _NO):
        return Value(None, _why_none(reply, "no_yes_no_token"), reply.evidence)
    return Value(1.0 if word == _YES else 0.0, None, reply.evidence, NO_LOGPROBS)


def _why_none(reply: Reply, otherwise: str) -> str:
    if _DECLINES.match(reply.text.strip(_AROUND)):
        return "judge_refused"
    return "truncated" if reply.cut else otherwise


def _first_token(logprobs: Json) -> list[tuple[str, float]] | None:
    """Words and probabilities of the first token that is not mere space or markup; None without any."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list):
        return None
    for token in content:
        if isinstance(token, dict) and _word(str(token.get("token", ""))):
            return list(_alternatives(token))
    return None


def _alternatives(token: Mapping[str, Json]) -> Iterator[tuple[str, float]]:
    """Each alternative once, by its exact text: the token that was chosen is usually among them."""
    others = token.get("top_logprobs")
    seen: dict[str, float] = {}
    for entry in (*(others if isinstance(others, list) else ()), token):
        text, logprob = (
            (entry.get("token"), entry.get("logprob")) if isinstance(entry, dict) else (None, None)
        )
        if isinstance(text, str) and isinstance(logprob, int | float) and not isinstance(logprob, bool):
            seen.setdefault(text, math.exp(min(logprob, 0.0)))
    for text, p in seen.items():
        yield _word(text), p


def _word(token: str) -> str:
    return token.strip(_AROUND).casefold()


def _strict(text: str) -> dict[str, Any] | None:
    """The answer as a JSON object, if it is one and nothing else; one code fence around it is let pass."""
    fenced = _FENCED.fullmatch(text.strip())
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _number(value: object) -> float | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and LOW <= value <= HIGH
    return float(value) if fine and isinstance(value, int | float) else None


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(content: object) -> str:
    """The text of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
