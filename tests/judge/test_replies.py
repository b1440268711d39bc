"""What an answer means, and that everything that is none is None with a reason."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from evalkit.judge.replies import read_choice, read_reply, read_scores, read_yes
from evalkit.judge.templates import template

EDIT = template("rubric-edit")


def completion(text: str | None, tokens: list[dict[str, float]] | None = None, **choice: Any) -> bytes:
    """A chat completion; `tokens` are the alternatives at each position, the chosen one first."""
    logprobs = None
    if tokens is not None:
        logprobs = {"content": [_position(alternatives) for alternatives in tokens]}
    whole = {"message": {"role": "assistant", "content": text}, "logprobs": logprobs, **choice}
    return json.dumps({"model": "m-1", "choices": [whole]}).encode()


def _position(alternatives: dict[str, float]) -> dict[str, Any]:
    top = [{"token": token, "logprob": math.log(p)} for token, p in alternatives.items()]
    return {**top[0], "top_logprobs": top}


def yes_of(text: str | None, tokens: list[dict[str, float]] | None = None, **choice: Any) -> Any:
    return read_yes(read_reply(completion(text, tokens, **choice)))


def test_all_spellings_of_yes_and_no_count() -> None:
    value = yes_of("Yes", [{"Yes": 0.5, " yes": 0.1, "YES": 0.02, "No": 0.2, "no.": 0.05, "Maybe": 0.1}])
    assert value.value == pytest.approx(0.62 / 0.87)
    assert (value.reason, value.flag) == (None, None)
    assert "p(yes) 0.6200, p(no) 0.2500" in value.detail


def test_the_chosen_token_counts_even_if_it_is_not_among_the_likeliest() -> None:
    position = {
        "token": "Yes",
        "logprob": math.log(0.6),
        "top_logprobs": [{"token": "No", "logprob": math.log(0.2)}],
    }
    data = completion("Yes", logprobs={"content": [position]})
    assert read_yes(read_reply(data)).value == pytest.approx(0.75)


def test_markup_before_the_answer_is_passed_over() -> None:
    assert yes_of("**No**", [{"**": 0.99}, {"No": 0.9, "Yes": 0.1}]).value == pytest.approx(0.1)


def test_one_of_the_two_is_enough() -> None:
    assert yes_of("Yes", [{"Yes": 0.4, "Well": 0.6}]).value == 1.0


@pytest.mark.parametrize("text", ["Perhaps", "", None])
def test_neither_yes_nor_no_is_none(text: str | None) -> None:
    value = yes_of(text, [{"Perhaps": 0.9, "The": 0.1}])
    assert (value.value, value.reason) == (None, "no_yes_no_token")


@pytest.mark.parametrize(
    ("text", "number"), [("Yes", 1.0), ("yes.", 1.0), ("NO", 0.0), ("No, it is green", 0.0), ("**Yes**", 1.0)]
)
def test_without_log_probabilities_the_word_counts_and_is_flagged(text: str, number: float) -> None:
    value = yes_of(text)
    assert (value.value, value.flag) == (number, "no_logprobs")


@pytest.mark.parametrize(
    ("text", "choice", "reason"),
    [
        ("Yesterday", {}, "no_yes_no_token"),
        ("Nothing of the kind", {}, "no_yes_no_token"),
        ("", {"finish_reason": "length"}, "truncated"),
        ("I'm sorry, but I can't help with that.", {}, "judge_refused"),
        ("I cannot assist with this request.", {}, "judge_refused"),
    ],
)
def test_without_log_probabilities_other_words_are_none(
    text: str, choice: dict[str, str], reason: str
) -> None:
    value = yes_of(text, **choice)
    assert (value.value, value.reason) == (None, reason)


def scores_of(text: str, **choice: Any) -> Any:
    return read_scores(read_reply(completion(text, **choice)), EDIT)


def test_two_numbers() -> None:
    found = scores_of('{"why": "red now", "followed": 9, "preserved": 7}')
    assert {name: value.value for name, value in found.items()} == {"followed": 9.0, "preserved": 7.0}
    assert found["followed"].detail == '{"why": "red now", "followed": 9, "preserved": 7}'


def test_a_fence_around_all_of_it_is_let_pass() -> None:
    assert scores_of('```json\n{"why": "", "followed": 0, "preserved": 10}\n```')["followed"].value == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "9 and 7",
        '{"why": "", "followed": 9}',
        '{"why": "", "followed": 9, "preserved": 7, "overall": 8}',
        '{"why": "", "followed": 9, "preserved": 11}',
        '{"why": "", "followed": -1, "preserved": 7}',
        '{"why": "", "followed": "9", "preserved": 7}',
        '{"why": "", "followed": true, "preserved": 7}',
        '{"why": "", "followed": NaN, "preserved": 7}',
        '{"why": "", "followed": null, "preserved": 7}',
        '[{"why": "", "followed": 9, "preserved": 7}]',
        'Here you are: {"why": "", "followed": 9, "preserved": 7}',
    ],
)
def test_anything_else_is_unparsable_and_kept(text: str) -> None:
    for value in scores_of(text).values():
        assert (value.value, value.reason, value.detail) == (None, "unparsable", text)


def test_a_reply_that_was_cut_off_says_so() -> None:
    found = scores_of('{"why": "it is', finish_reason="length")
    assert found["followed"].reason == "truncated"
    whole = scores_of('{"why": "", "followed": 9, "preserved": 7}', finish_reason="length")
    assert whole["followed"].value == 9.0, "cut off behind the end is not cut off"


@pytest.mark.parametrize(
    ("text", "chosen", "reason"),
    [
        ('{"why": "", "better": "first"}', "first", None),
        ('{"why": "", "better": "tie"}', "tie", None),
        ('{"why": "", "better": "A"}', None, "unparsable"),
        ('{"better": "first"}', None, "unparsable"),
        ("The first one.", None, "unparsable"),
        ("Sorry, I can't compare these.", None, "judge_refused"),
    ],
)
def test_choices(text: str, chosen: str | None, reason: str | None) -> None:
    assert read_choice(read_reply(completion(text))) == (chosen, reason)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": [1]}}]}', b"\xff"]
)
def test_a_document_of_any_kind_can_be_read(data: bytes) -> None:
    reply = read_reply(data)
    assert read_yes(reply).value is None
    assert read_choice(reply)[0] is None


def test_text_in_parts_is_one_text() -> None:
    message = {"content": [{"type": "text", "text": "Y"}, {"type": "text", "text": "es"}]}
    data = json.dumps({"choices": [{"message": message}]}).encode()
    assert read_yes(read_reply(data)).value == 1.0
