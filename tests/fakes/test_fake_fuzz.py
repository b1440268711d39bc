"""Whatever is sent, a fake answers like a server: no request of any shape breaks it."""

from __future__ import annotations

import json

import pytest
from fake_talk import ASKS, KEY_HEADERS, PROVIDERS, Talk, key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(
    [
        "prompt",
        "n",
        "num_images",
        "image_urls",
        "image_url",
        "input",
        "images",
        "model",
        "width",
        "height",
        "size",
        "seed",
        "aspect_ratio",
        "contents",
        "parts",
        "text",
        "output_format",
        "webhook_url",
        "mask",
        "init_images",
        "input_references",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5000) | st.text(max_size=8) | st.just("a fox")
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_body_breaks_it(talk: Talk, provider: str) -> None:
    url = talk.fakes.base(provider) + ASKS[provider][0]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(NAMES, VALUES, max_size=5))
    def ask(body: dict[str, object]) -> None:
        answer = talk.http.post(url, content=json.dumps(body), headers=key(provider))
        assert answer.status_code < 500

    ask()


@pytest.mark.parametrize("provider", sorted(KEY_HEADERS))
@pytest.mark.parametrize("body", [b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--"])
def test_no_form_breaks_it(talk: Talk, provider: str, body: bytes) -> None:
    headers = key(provider) | {"Content-Type": "multipart/form-data; boundary=x"}
    answer = talk.http.post(talk.fakes.base(provider) + ASKS[provider][0], content=body, headers=headers)
    assert 400 <= answer.status_code < 500
