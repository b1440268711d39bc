"""Keys must never drift: a changed recipe would pay for every picture again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.ids import Question, canonical, score_key, sha256

ASK = {
    "suite": "product",
    "case": "mug",
    "task": "edit",
    "prompt": "Make the mug green — “keep” everything else",
    "aspect_ratio": "4:3",
    "source": "a" * 64,
    "mask": None,
    "provider": "fal",
    "model": "microsoft/mai-image-2.5/edit",
    "params": {"output_format": "png", "n": "1"},
    "fingerprint": "",
    "replicate": 0,
}


def trial_id(*, replicate: int, fingerprint: str, **asked: object) -> str:
    return Question(**asked).trial(replicate, fingerprint)


def test_the_trial_recipe_is_pinned() -> None:
    assert trial_id(**ASK) == "bb7d7b83baee6a2ac111800d91f9eabe55721dfd2d72a166a32c26022eafcd27"


def test_the_score_recipe_is_pinned() -> None:
    key = score_key(
        image="b" * 64,
        subject={"source": None, "mask": None, "texts": {"prompt": "a mug"}},
        metric="clip",
        version="1",
        config={"model": "ViT-B-32"},
        weights="c" * 64,
    )
    assert key == "e61c39a674330b5c0a55d604abf6d85e74d1f39e54a6d033679279ddcc9085bb"


def test_a_trial_id_is_the_digest_of_canonical_json() -> None:
    plain = {
        "recipe": 1,
        "case": [ASK["suite"], ASK["case"]],
        "ask": {name: ASK[name] for name in ("task", "prompt", "aspect_ratio", "source", "mask")},
        "system": {name: ASK[name] for name in ("provider", "model", "params", "fingerprint")},
        "replicate": 7,
    }
    assert trial_id(**(ASK | {"replicate": 7})) == sha256(canonical(plain))


@pytest.mark.parametrize("field", sorted(ASK))
def test_everything_that_is_asked_is_in_the_trial_id(field: str) -> None:
    changed = {
        "params": {"output_format": "webp"},
        "mask": "d" * 64,
        "replicate": 1,
    }.get(field, f"{ASK[field]} changed")
    assert trial_id(**(ASK | {field: changed})) != trial_id(**ASK)


def test_the_order_of_parameters_does_not_matter() -> None:
    swapped = dict(reversed(list(ASK["params"].items())))
    assert trial_id(**(ASK | {"params": swapped})) == trial_id(**ASK)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), json_values))
def test_canonical_json_ignores_the_order_of_keys(value: dict[str, object]) -> None:
    assert canonical(value) == canonical(dict(reversed(list(value.items()))))


def test_canonical_json_refuses_what_json_has_not() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"x": math.nan})
