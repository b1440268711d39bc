"""How a job ends badly, in the words of a description: an answer that one of its rules is made for.

Every answer is put before `evalkit.remote.classify` first, so that a rule which an earlier one hides is not
taken. A kind that no rule and no status can express gets the plainest failure there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from evalkit.fakes.messages import Answer, say
from evalkit.fakes.writing import Clash, sample, write, write_free
from evalkit.remote.classify import Reply, classify
from evalkit.remote.paths import find, steps
from evalkit.remote.spec import Kind, Phase, Rule, Spec
from evalkit.types import Json

WORDS: dict[Kind, str] = {
    "auth": "The key is missing or wrong.",
    "balance": "The balance is exhausted.",
    "rate_limit": "Too many requests.",
    "validation": "The input is not valid.",
    "moderation": "The request was flagged by a safety system.",
    "transient": "The service failed.",
    "permanent": "The model failed.",
    "timeout": "The job took too long.",
    "cancelled": "The job was cancelled.",
}
USUAL: dict[Kind, int] = {
    "auth": 401,
    "balance": 402,
    "rate_limit": 429,
    "validation": 422,
    "moderation": 422,
    "transient": 503,
    "permanent": 500,
    "timeout": 504,
    "cancelled": 499,
}
NOISE = (404, 408, 409, 410, 425, 429)
"""Statuses that say nothing final about a job that was accepted; nor do those from 500 on, while it is asked
for its state."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One bad end: in which phase it is told, and how."""

    phase: Phase
    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> Answer:
        answer = say(self.body, self.status)
        answer.headers.update(self.headers)
        return answer


def ending(spec: Spec, kind: Kind, phases: Sequence[Phase]) -> Ending:
    """The end that means `kind`, in the first of `phases` where the description knows one."""
    ruled = [found for phase in phases for found in _ruled(spec, kind, phase)]
    plain = [found for phase in phases for found in _plain(spec, kind, phase)]
    # What is permanent needs no rule; those there are mean special cases, such as a job that has expired.
    wanted = [*plain, *ruled] if kind == "permanent" else [*ruled, *plain]
    return next((found for found in wanted if _means(spec, found, kind)), plain[0])


def error_body(spec: Spec, words: str, body: Json = None) -> Json:
    """`body` with the words where the description looks for them, unless some are there already."""
    if any(isinstance(value, str) for path in spec.error for value in find(body, path)):
        return body
    return write_free(body, spec.error, [words])


def word_for(spec: Spec, *states: str, like: str = "") -> str:
    """The word for the first of these states that the description has, preferably one with `like` in it."""
    for state in states:
        words = [word for word, meaning in spec.states.items() if meaning == state]
        if words:
            return next((word for word in words if like and like in word.lower()), words[0])
    return ""


def _means(spec: Spec, ending: Ending, kind: Kind) -> bool:
    headers = {name.lower(): value for name, value in ending.headers.items()}
    reply = Reply(ending.status, headers, ending.answer().body.decode(), ending.body)
    verdict = classify(spec, reply, ending.phase)
    return verdict is not None and verdict.kind == kind


def _plain(spec: Spec, kind: Kind, phase: Phase) -> Iterator[Ending]:
    """Without a rule: the word for a failure, or a status."""
    failed = word_for(spec, "failed", like="cancel" if kind == "cancelled" else "")
    if phase == "poll" and failed:
        yield Ending(phase, 200, error_body(spec, WORDS[kind], write(None, spec.state, [failed])))
    for status in (USUAL[kind], 400):
        if _fits(spec, phase, status):
            yield Ending(phase, status, error_body(spec, WORDS[kind]))


def _ruled(spec: Spec, kind: Kind, phase: Phase) -> Iterator[Ending]:
    for rule in spec.rules:
        if rule.kind != kind or not {phase, "*"} & set(rule.phase.split("|")):
            continue
        for status in _statuses(spec, rule, phase):
            try:
                yield _by_rule(spec, rule, Ending(phase, status, _failing(spec, phase, status)))
            except Clash:
                continue


def _statuses(spec: Spec, rule: Rule, phase: Phase) -> Iterator[int]:
    """Statuses that the rule is for and that can be the end of a job in this phase."""
    usual = USUAL[rule.kind]
    for word in rule.status.split("|"):
        if word == "*":
            found = [200, usual, 400] if phase == "poll" and word_for(spec, "failed") else [usual, 400]
        elif word.endswith("xx"):
            found = [status for status in (usual, int(word[0]) * 100) if status // 100 == int(word[0])]
        else:
            found = [int(word)]
        yield from (status for status in found if _fits(spec, phase, status))


def _fits(spec: Spec, phase: Phase, status: int) -> bool:
    if phase == "submit" and status < 300:
        return spec.mode != "async"
    if phase == "poll" and status >= 500:
        return False
    return phase == "submit" or status not in NOISE


def _failing(spec: Spec, phase: Phase, status: int) -> Json:
    """An answer about a job's state has one, if only that it is over."""
    over = word_for(spec, "failed", "done") if phase == "poll" and status < 400 else ""
    return write(None, spec.state, [over]) if over else None


def _by_rule(spec: Spec, rule: Rule, bare: Ending) -> Ending:
    """`bare` with what the rule looks for, and words; `Clash` if there is no place for it."""
    text = "" if rule.absent else sample(rule.match)
    if text is None:
        raise Clash(f"nothing comes to mind that {rule.match!r} matches")
    body, headers, words = bare.body, dict(bare.headers), WORDS[rule.kind]
    if rule.header:
        headers[rule.header] = text
    elif rule.absent:
        body = _without_leaf(body, rule.path)
    elif rule.path and text:
        body = write(body, rule.path, [text])
    elif text:
        words = f"{words} ({text})" if rule.match else words
    body = error_body(spec, words, body)
    if spec.out.stage:
        body = write_free(body, (spec.out.stage,), [rule.stage if rule.stage != "unknown" else "input"])
    return replace(bare, body=body, headers=headers)


def _without_leaf(body: Json, path: str) -> Json:
    """The place where `path` begins, with nothing in it: `data[*].url` is absent from `{"data": []}`."""
    every = [step.kind == "every" for step in steps(path)]
    return write(body, path, []) if any(every) else write(body, steps(path)[0].name, [{}])
