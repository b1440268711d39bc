"""The wording of questions: files that can be read, and digests that change with every word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import InvalidInput
from evalkit.judge.outputs import TEMPLATES
from evalkit.judge.templates import FOLDER, template

NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


def test_every_template_is_used_and_every_use_has_one() -> None:
    assert sorted({name for names in TEMPLATES.values() for name in names}) == NAMES
    assert len({template(name).digest for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_asks_about_the_prompt_and_says_how_to_answer(name: str) -> None:
    asked = template(name)
    assert asked.name == name
    text = asked.fill("a red mug")
    assert "<request>\na red mug\n</request>" in text
    assert "{prompt}" not in text
    assert 0 < asked.expect_tokens < asked.most_tokens
    assert ("edit" in name) == (len(asked.pictures) > (2 if asked.reply == "choice" else 1))
    for word in asked.scores:
        assert f'"{word}"' in text, "the reply that is shown has every number"


@pytest.mark.parametrize("name", [n for n in NAMES if template(n).reply != "yes-no"])
def test_a_schema_is_strict(name: str) -> None:
    schema: Any = template(name).schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])
    assert schema["required"][0] == "why", "reasons come before numbers"


def test_a_prompt_cannot_fill_in_anything() -> None:
    assert "a {prompt} in a {why}" in template("yes-no").fill("a {prompt} in a {why}")


def test_any_change_is_another_digest() -> None:
    asked = template("rubric")
    others = [
        replace(asked, text=asked.text + " "),
        replace(asked, scores={**asked.scores, "more": "x"}),
        replace(asked, most_tokens=asked.most_tokens + 1),
    ]
    assert len({one.digest for one in (asked, *others)}) == 4
    assert replace(asked, name="other").digest == asked.digest


@pytest.mark.parametrize("text", ["", "name = 'x'", "text = 'no place'\npictures = []\n"])
def test_a_file_that_is_no_template_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(InvalidInput, match=r"bad\.toml"):
        template("bad", tmp_path)
