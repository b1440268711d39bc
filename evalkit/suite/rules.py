"""What the keys of one case must be together, by its task and its suite's category.

Rules look at the case as written, so that a key with a wrong value is reported once, as wrong, and not a
second time as missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.types import TASKS

_EDIT_ONLY = ("source", "mask", "source_caption", "target_caption", "edit_type", "keep")
_PRESERVATION = ("mask", "source_caption", "target_caption", "edit_type", "keep")


def broken_rules(raw: Mapping[str, Any], category: str | None) -> Iterator[str]:
    """A sentence for each rule that the case breaks. `category` is None where suite.toml was unreadable."""
    task = raw.get("task", "t2i")
    if task in TASKS:
        yield from _edit(raw) if task == "edit" else _t2i(raw)
        if category == "edit-preservation":
            yield from _edit_preservation(raw, task)
    if category == "typography" and not raw.get("expected_text"):
        yield 'a typography case needs "expected_text": the words that must be readable'


def _t2i(raw: Mapping[str, Any]) -> Iterator[str]:
    surplus = [key for key in _EDIT_ONLY if key in raw]
    if surplus:
        names = ", ".join(f'"{key}"' for key in surplus)
        yield f'{names} belong to edits; is "task": "edit" missing?'


def _edit(raw: Mapping[str, Any]) -> Iterator[str]:
    if "source" not in raw:
        yield 'an edit needs a "source": a picture in the suite\'s folder, skimage:NAME or studio:PROMPT'
    before, after = raw.get("source_caption"), raw.get("target_caption")
    if isinstance(before, str) and before == after:
        yield '"source_caption" and "target_caption" must differ: they say what the edit changes'


def _edit_preservation(raw: Mapping[str, Any], task: str) -> Iterator[str]:
    if task != "edit":
        yield 'a case of an edit-preservation suite must have "task": "edit"'
        return
    for key in _PRESERVATION:
        if key not in raw or raw[key] in ([], {}):
            yield f'an edit-preservation case needs "{key}"'
