"""Faults that a prompt asks for: `[[submit:429*2,ra=1; dl:truncate]]`.

One block holds directives separated by `;`. A directive is

    stage:name(=argument)(*times)(,option=value ...)

and applies at its stage as often as it comes up, or `times` times. Settings have no stage:
`[[speed=real,queue=0.2,run=0.5]]`, `[[polls=1]]`. What each name does is in `NAMES` and where it happens.
A block that starts like a directive but is none is an error: a fault that was misspelled must not pass a
test. Any other text in double brackets is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NAMES: Mapping[str, Mapping[str, str]] = {
    "submit": {
        "drop": "hangs up before any work",
        "drop_after": "does the work, bills it, and hangs up",
        "html": "a proxy's 502 page",
        "slow": "answers so many seconds late",
        "noid": "a 2xx without the job's id (or the pictures)",
        "redirect": "a 307",
        "badjson": "half a JSON document, after the work",
        "empty500": "a 500 without a body, after the work",
        "quota": "the money is gone, in the provider's own words",
        "locked": "a 403 that means money",
        "blocked": "a 403 that means abuse",
    },
    "poll": {
        "drop": "hangs up",
        "html": "a proxy's 502 page",
        "slow": "answers so many seconds late",
        "stuck": "queued for ever",
        "stuckrun": "running for ever",
        "unknown": "a status nobody has heard of",
        "vanish": "404 for a job that was accepted",
        "flap": "done, running again, done",
        "foreign": "the acceptance names a polling URL on another host",
    },
    "result": {
        "drop": "hangs up",
        "html": "a proxy's 502 page",
        "slow": "answers so many seconds late",
        "noimages": "success without a picture",
    },
    "end": {
        "moderation": "a safety system declines; the argument picks a variant",
        "validation": "the input is wrong",
        "fail": "the model fails",
        "error": "the provider fails",
        "cancelled": "somebody cancelled it",
        "aborted": "ended before it began, not charged",
        "timeout": "took too long",
        "partial": "one picture too few",
        "nsfw": "the first picture is flagged, and black",
        "blank": "the first picture is black, and nobody says so",
    },
    "dl": {
        "truncate": "hangs up half-way",
        "truncate_ok": "half a picture of consistent length",
        "wrongtype": "a picture called application/octet-stream",
        "html": "a page instead of a picture, with a 200",
        "empty": "no bytes, with a 200",
        "big": "never ends",
        "redirect": "a 302 to where it is",
        "redirect_private": "a 302 to a cloud's metadata service",
        "redirect_loop": "a 302 to itself",
        "slow": "answers so many seconds late",
        "bomb": "a picture that claims to be 60,000 pixels wide",
        "webp": "WebP whatever the name says",
        "drop": "hangs up",
    },
    "hook": {
        "dup": "delivered twice",
        "late": "so many seconds late",
        "badsig": "changed after it was signed",
        "oldts": "signed ten minutes ago",
        "before": "delivered before the acceptance is",
        "never": "not delivered",
        "unserializable": "without the result (fal)",
    },
    "shape": {
        "str": "the output is a string",
        "list": "the output is a list",
        "object": "the output is an object",
        "thought": "a draft before the picture (Gemini)",
        "grid": "a contact sheet before the pictures (A1111)",
        "url": "URLs though base64 was asked for (local)",
        "prose": "words instead of the JSON that was asked for (chat)",
        "sorry": "the judge declines in words (chat)",
        "cut": "cut off at the most tokens (chat)",
        "nologprobs": "no log probabilities (chat)",
        "neither": "neither yes nor no (chat)",
        "first": "whatever is shown first is better (chat)",
        "lenient": "so many points more than it deserves (chat)",
    },
}
"""Stage -> name -> what happens. `submit:CODE,after=1` does the work first, then answers with the code."""
SETTINGS = frozenset({"speed", "polls"})
WITH_STATUS = frozenset({"submit", "poll", "result", "dl"})
"""Stages where the name may be an HTTP status."""

_WORD = r"[A-Za-z0-9_.\-]+"
_BLOCK = re.compile(r"\[\[([^\[\]]*)\]\]")
_OURS = re.compile(rf"\s*(?:(?:{'|'.join(NAMES)})\s*:|(?:{'|'.join(SETTINGS)})\s*=)")
_ITEM = re.compile(
    rf"(?:(?P<stage>[a-z]+):)?(?P<name>[a-z0-9_]+)(?:=(?P<arg>{_WORD}))?(?:\*(?P<times>[0-9]+))?"
    rf"(?P<options>(?:,\s*[a-z_]+={_WORD})*)"
)


class BadDirective(ValueError):
    """Text that starts like a directive and is none."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One fault or setting; `stage` is empty for a setting, `times` None for always."""

    stage: str
    name: str
    arg: str = ""
    times: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        text = f"{self.stage}:{self.name}" if self.stage else self.name
        text += f"={self.arg}" if self.arg else ""
        text += "" if self.times is None else f"*{self.times}"
        return text + "".join(f",{name}={value}" for name, value in self.options)

    def option(self, name: str, default: str = "") -> str:
        return dict(self.options).get(name, default)

    @property
    def status(self) -> int | None:
        """The HTTP status, if that is what the name is."""
        return int(self.name) if self.name.isdigit() else None

    @property
    def seconds(self) -> float:
        """The argument as seconds; 1 if there is none."""
        return float(self.arg or "1")


def parse(text: str) -> tuple[Directive, ...]:
    """Every directive in a prompt, in order. Raises `BadDirective`."""
    blocks = (block for block in _BLOCK.findall(text) if _OURS.match(block))
    return tuple(_directive(item.strip()) for block in blocks for item in block.split(";") if item.strip())


def strip(text: str) -> str:
    """The prompt without its directives."""
    return " ".join(_BLOCK.sub(lambda m: "" if _OURS.match(m[1]) else m[0], text).split())


def render(directives: Iterable[Directive]) -> str:
    """The block that `parse` reads back to the same directives; empty for none."""
    text = "; ".join(map(str, directives))
    return f"[[{text}]]" if text else ""


def _directive(item: str) -> Directive:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise BadDirective(f"cannot read the directive {item!r}: stage:name(=arg)(*times)(,option=value)")
    stage, name = match["stage"] or "", match["name"]
    _check(stage, name, item)
    options = tuple(_pair(part) for part in match["options"].split(",") if part)
    times = None if match["times"] is None else int(match["times"])
    return Directive(stage, name, match["arg"] or "", times, options)


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _check(stage: str, name: str, item: str) -> None:
    if not stage:
        known = name in SETTINGS
    elif name.isdigit():
        known = stage in WITH_STATUS and 200 <= int(name) <= 599
    else:
        known = name in NAMES.get(stage, ())
    if not known:
        names = ", ".join(sorted(NAMES.get(stage, SETTINGS)))
        raise BadDirective(f"unknown directive {item!r}; for {stage or 'a setting'} there are: {names}")


class Plan:
    """The directives of one request or job, and how often each may still apply."""

    def __init__(self, directives: Iterable[Directive] = ()) -> None:
        self.directives = tuple(directives)
        self._left = [directive.times for directive in self.directives]

    def find(self, stage: str, name: str = "") -> Directive | None:
        """The first directive of this stage (and name) that still applies; it is not used up."""
        index = self._index(stage, name)
        return None if index is None else self.directives[index]

    def hit(self, stage: str, name: str = "") -> Directive | None:
        """The same, and it is used up once. Without a name, `slow` is passed over."""
        index = self._index(stage, name)
        if index is None:
            return None
        left = self._left[index]
        self._left[index] = None if left is None else left - 1
        return self.directives[index]

    def delay(self, stage: str) -> float:
        """Seconds that this answer is to be late."""
        slow = self.hit(stage, "slow")
        return slow.seconds if slow else 0.0

    def setting(self, name: str) -> Directive | None:
        return next((d for d in self.directives if d.stage == "" and d.name == name), None)

    def _index(self, stage: str, name: str) -> int | None:
        for index, directive in enumerate(self.directives):
            wanted = directive.name == name if name else directive.name != "slow"
            if directive.stage == stage and wanted and self._left[index] != 0:
                return index
        return None
