"""Models that answer in words: what is sent to them, what it costs, and what is kept of the answer."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import InvalidInput
from evalkit.remote.body import fill
from evalkit.remote.catalog import read_spec
from evalkit.remote.classify import Reply
from evalkit.remote.prices import Usage, charge, quote
from evalkit.remote.settle import has_pictures
from evalkit.remote.spec import Model, Order, Out, Spec, Submit, Tariff
from evalkit.types import ImageInput

PNG = b"\x89PNG\r\n\x1a\n"
TARIFF = Tariff(
    text_in=Decimal(2),
    image_in=Decimal(2),
    image_out=Decimal(8),
    image_tokens=10,
    image_tokens_max=100,
    source_tokens=700,
    source_tokens_max=1500,
    usage={"all_in": "prompt_tokens", "image_out": "completion_tokens"},
)
ROW = Model("m", "answer", tariff=TARIFF)
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "@chat_parts"}]}
SPEC = Spec(
    "x", "", "https://x.example", {"answer": Submit("/c", BODY)}, (ROW,), Out(answer="choices[0].message")
)


def order(*sizes: tuple[int, int], **fields: Any) -> Order:
    pictures = tuple(ImageInput(PNG, "0" * 64, *size) for size in sizes)
    return Order("t", ROW, "m", "answer", "What is it?", images=pictures, **fields)


def test_a_message_holds_the_text_and_then_the_pictures() -> None:
    filled: Any = fill(SPEC.submit["answer"], order((8, 8), (8, 8)), ())
    parts = filled.json["messages"][0]["content"]
    assert parts[0] == {"type": "text", "text": "What is it?"}
    assert [part["image_url"] for part in parts[1:]] == [{"url": "data:image/png;base64,iVBORw0KGgo="}] * 2


def test_the_detail_of_a_picture_travels_with_it() -> None:
    filled: Any = fill(SPEC.submit["answer"], order((8, 8), params={"detail": "low"}), ())
    assert filled.json["messages"][0]["content"][1]["image_url"]["detail"] == "low"


def test_the_most_that_a_source_takes_does_not_grow_with_its_size() -> None:
    small, large = (quote(ROW, order(size)) for size in ((64, 64), (4096, 4096)))
    assert small.worst == large.worst == (Decimal(2) * (len("What is it?") + 1500) + Decimal(8) * 100) / 10**6
    without = replace(ROW, tariff=replace(TARIFF, source_tokens_max=0))
    assert quote(without, order((4096, 4096))).worst > large.worst, "else it does, by begun megapixels"


def test_prompt_and_pictures_may_be_counted_together() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 50}
    price = charge(SPEC, order((64, 64)), Usage(1, usage=usage))
    assert (price.usd, price.basis) == (Decimal("0.0024"), "tokens")


@pytest.mark.parametrize(
    ("body", "there"),
    [
        ({"choices": [{"message": {"content": ""}}]}, True),
        ({"choices": []}, False),
        ({"choices": [{"message": None}]}, False),
        ({"data": [{"url": "https://x.example/1.png"}]}, False),
    ],
)
def test_an_answer_is_one_if_it_has_what_every_answer_has(body: Any, there: bool) -> None:
    assert has_pictures(SPEC, Reply(200, {}, "", body)) is there


def test_a_description_says_where_pictures_are_or_what_an_answer_has(tmp_path: Path) -> None:
    text = (
        '[provider]\nname = "x"\nsummary = "x"\nbase = "https://x.example"\nmode = "sync"\n'
        '[provider.out]\n{out}\n[submit.answer]\npath = "/c"\nbody = {{ content = "@chat_parts" }}\n'
        '[[model]]\nid = "m"\ntask = "answer"\n'
    )
    path = tmp_path / "x.toml"
    path.write_text(text.format(out='answer = "choices[0].message"'))
    assert read_spec(path).out.answer == "choices[0].message"
    path.write_text(text.format(out='usage = "usage"'))
    with pytest.raises(InvalidInput, match="nothing says where the pictures are"):
        read_spec(path)
