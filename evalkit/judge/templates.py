"""The wording of questions, as files: `templates/*.toml`. One file, one question, one digest.

It knows what a template says and what its reply must look like. Which pictures are shown is for `questions`,
what a reply means for `replies`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from evalkit.errors import InvalidInput
from evalkit.ids import digest
from evalkit.types import Json

ReplyKind = Literal["yes-no", "scores", "choice"]

FOLDER = Path(__file__).resolve().parent / "templates"
LOW, HIGH = 0, 10
"""The scale of every number that a rubric asks for."""
CHOICES = ("first", "second", "tie")

_PLACE = re.compile(r"\{(\w+)\}")
_PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Template:
    """One way to ask. `digest` is that of everything that is asked or allowed as an answer.

    `reply` is what comes back: a word (`yes-no`), whole numbers from 0 to 10 under the names of `scores`, or
    a `choice` of `CHOICES`. An answer takes `expect_tokens`, and is cut off at `most_tokens`. `pictures` are
    the names of what is shown, in order.
    """

    name: str
    version: str
    reply: ReplyKind
    text: str
    expect_tokens: int
    most_tokens: int
    pictures: tuple[str, ...]
    scores: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 of the wording and of the form of the reply."""
        return digest([self.text, self.reply, dict(self.scores), list(self.pictures), self.most_tokens])

    def fill(self, prompt: str) -> str:
        """The question about one prompt. What looks like a place in the prompt itself is left alone."""
        return _PLACE.sub(lambda found: prompt if found[1] == _PROMPT else found[0], self.text).strip()

    def schema(self) -> Json:
        """The JSON schema of the reply; None where a word is asked for."""
        if self.reply == "yes-no":
            return None
        properties: dict[str, Json] = {"why": {"type": "string"}}
        if self.reply == "choice":
            properties["better"] = {"type": "string", "enum": [*CHOICES]}
        for name, meaning in self.scores.items():
            properties[name] = {"type": "integer", "description": meaning}
        return {
            "type": "object",
            "properties": properties,
            "required": [*properties],
            "additionalProperties": False,
        }


@cache
def template(name: str, folder: Path = FOLDER) -> Template:
    """The template of a file. Raises `InvalidInput` where it is not one."""
    path = folder / f"{name}.toml"
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        made = Template(**{**raw, "pictures": tuple(raw["pictures"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"{path} is not a template of a question: {error}") from error
    if _PROMPT not in _PLACE.findall(made.text):
        raise InvalidInput(f"{path}: the text has no place for the {{prompt}}")
    return made
