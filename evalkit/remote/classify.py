"""What an answer means: a provider's ordered rules first, then what its HTTP status says by itself.

One status means different things at different providers (422 is a broken request, an empty account or a
refusal), so rules go first. They look at the places they name and nowhere else: an answer may repeat the
prompt, and a prompt about content filters is no refusal. What to do about a verdict is for the engine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal

from evalkit.remote.paths import find, first, steps
from evalkit.remote.redact import cut_urls, plain
from evalkit.remote.spec import Kind, Phase, Rule, Spec, State
from evalkit.types import Json

Stage = Literal["input", "output", "unknown"]

RETRY_CAP = 120.0
"""Seconds; no provider's wish to be left alone is followed for longer."""

_BY_STATUS: Mapping[int, Kind] = {
    401: "auth",
    402: "balance",
    403: "auth",
    408: "timeout",
    409: "transient",
    425: "transient",
    429: "rate_limit",
    499: "cancelled",
    501: "permanent",
}
_OWN_WORD = (401, 402)
_ECHOES = ("input", "prompt", "revised_prompt")
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_WAIT = re.compile(r"(?:again|retry|resets?) in ~?\s*([0-9]{1,5}(?:\.[0-9]+)?) ?s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. `headers` have lower-case names, `json` is None where the text is not JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    json: Json = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What went wrong, in the taxonomy of docs/providers.md; `retry_after` is in seconds."""

    kind: Kind
    message: str
    code: str = ""
    stage: Stage = "unknown"
    retry_after: float | None = None


def classify(spec: Spec, reply: Reply, phase: Phase, state: State | None = None) -> Verdict | None:
    """What is wrong with an answer, None if nothing is.

    `state` is what the answer says about the job; for `poll` it is read from the answer if not given.
    """
    if state is None and phase == "poll" and reply.status < 400:
        state = state_of(spec, reply)
    failed = reply.status >= 400 or state == "failed"
    for rule in spec.rules:
        if _applies(rule, reply.status, phase, failed) and (hit := _hit(rule, reply)) is not None:
            return _ruled(spec, reply, rule, hit)
    return _default(spec, reply, phase, state)


def state_of(spec: Spec, reply: Reply) -> State | None:
    """What an answer says about its job; None for a word the description does not know."""
    return spec.states.get(_word(spec, reply))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or an HTTP date), 0 to `RETRY_CAP`; None without one."""
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return min(milliseconds / 1000, RETRY_CAP)
    said = headers.get("retry-after", "")
    seconds = _number(said)
    if seconds is None:
        seconds = _seconds_until(said, now)
    return None if seconds is None else min(max(seconds, 0.0), RETRY_CAP)


def message_of(spec: Spec, reply: Reply) -> str:
    """The provider's words for what went wrong, cleaned, at most 300 characters; never empty."""
    status = f"HTTP {reply.status}" + ("" if reply.json is not None else ", not JSON")
    return _words(spec, reply) or status


def _words(spec: Spec, reply: Reply) -> str:
    for path in spec.error:
        words = [value for value in find(reply.json, path) if isinstance(value, str) and value.strip()]
        if words and (message := plain(cut_urls("; ".join(words[:5])), 300)):
            return message
    return ""


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", text) else None


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()


def _applies(rule: Rule, status: int, phase: Phase, failed: bool) -> bool:
    if rule.phase != "*" and phase not in rule.phase.split("|"):
        return False
    if not rule.path and not rule.header and rule.status == "*":
        return False
    wanted = rule.status.split("|")
    if status in _OWN_WORD:
        return str(status) in wanted
    return any(_status_fits(word.strip(), status, failed) for word in wanted)


def _status_fits(word: str, status: int, failed: bool) -> bool:
    if word == "*":
        return failed
    if word == "200" or word.endswith("xx"):
        return status // 100 == int(word[0])
    return word == str(status)


def _hit(rule: Rule, reply: Reply) -> str | None:
    """The text that the rule has matched, empty where there is none to show; None: it does not match."""
    if rule.absent:
        return "" if _is_missing(reply.json, rule.path) else None
    if rule.header:
        texts = [reply.headers[rule.header.lower()]] if rule.header.lower() in reply.headers else []
    elif rule.path:
        texts = [text for text in _leaves(find(reply.json, rule.path)) if text]
    else:
        texts = [reply.text]
    found = next((text for text in texts if _pattern(rule.match).search(text)), None)
    return found if found is None or rule.path or rule.header else ""


def _is_missing(body: Json, path: str) -> bool:
    """Whether an answer has the place that a path begins at, but nothing at its end.

    Without the place it is not the answer that the description means, and proves nothing.
    """
    place = "".join(step.name for step in steps(path)[:1])
    return bool(find(body, place)) and not any(_leaves(find(body, path)))


def _leaves(value: Json) -> Iterator[str]:
    """The texts in a value, numbers and truth values as JSON writes them; never the keys.

    What repeats the request is passed over, unless the path leads right into it.
    """
    match value:
        case str():
            yield value
        case bool():
            yield "true" if value else "false"
        case int() | float():
            yield str(value)
        case list():
            for item in value:
                yield from _leaves(item)
        case dict():
            for key, item in value.items():
                if key not in _ECHOES:
                    yield from _leaves(item)


@lru_cache(maxsize=512)
def _pattern(match: str) -> re.Pattern[str]:
    return re.compile(match, re.IGNORECASE)


def _ruled(spec: Spec, reply: Reply, rule: Rule, hit: str) -> Verdict:
    message = _words(spec, reply) or plain(cut_urls(hit), 300) or rule.note or message_of(spec, reply)
    code = rule.code or (hit if _CODE.fullmatch(hit) else "")
    stage = rule.stage if rule.stage != "unknown" else _stage(spec, reply)
    return _verdict(rule.kind, message, reply, code=code, stage=stage)


def _stage(spec: Spec, reply: Reply) -> Stage:
    match first(reply.json, spec.out.stage):
        case "input":
            return "input"
        case "output":
            return "output"
    return "unknown"


def _default(spec: Spec, reply: Reply, phase: Phase, state: State | None) -> Verdict | None:
    if reply.status >= 400:
        return _verdict(_by_status(reply, phase), message_of(spec, reply), reply)
    if reply.status >= 300:
        return _redirected(reply, phase)
    if reply.json is None:
        return Verdict("transient", f"HTTP {reply.status}, but the answer is not JSON")
    if state == "failed":
        return Verdict("permanent", _failure(spec, reply))
    if phase == "poll" and state is None:
        return _stateless(spec, reply)
    return None


def _by_status(reply: Reply, phase: Phase) -> Kind:
    if reply.status >= 500 and reply.json is None:
        return "transient"
    if reply.status in (404, 410) and phase != "submit":
        return "permanent"
    return _BY_STATUS.get(reply.status, "validation" if reply.status < 500 else "transient")


def _redirected(reply: Reply, phase: Phase) -> Verdict:
    """A redirected submit needs another base; while a paid job is waited for, it may be a portal's doing."""
    kind: Kind = "permanent" if phase == "submit" else "transient"
    return Verdict(kind, f"HTTP {reply.status}: redirected, which is never followed; fix the base URL")


def _failure(spec: Spec, reply: Reply) -> str:
    return _words(spec, reply) or f"the job ended as {_word(spec, reply)!r}"


def _stateless(spec: Spec, reply: Reply) -> Verdict | None:
    if not spec.state:
        return None
    word = _word(spec, reply)
    if not word:
        return Verdict("transient", "the answer does not say how the job is")
    return Verdict("permanent", f"unknown status {word!r}")


def _word(spec: Spec, reply: Reply) -> str:
    word = first(reply.json, spec.state)
    return plain(word if isinstance(word, str) else "".join(_leaves(word)), 80)


def _verdict(kind: Kind, message: str, reply: Reply, *, code: str = "", stage: Stage = "unknown") -> Verdict:
    wait = None
    if kind in ("rate_limit", "transient"):
        wait = retry_after(reply.headers, datetime.now(UTC))
        if wait is None and (said := _WAIT.search(message)):
            wait = min(math.ceil(float(said[1])), RETRY_CAP)
    return Verdict(kind, message, code, stage, wait)
