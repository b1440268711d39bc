"""What has to go from a text."""

import pytest

from evalkit.remote.redact import cut_urls, plain, without


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://a.example/x.png?sig=1&k=2", "https://a.example/x.png"),
        (
            "<https://a.example?k=1> and 'http://b.example/y#z'",
            "<https://a.example> and 'http://b.example/y'",
        ),
        ("https://user:pass@a.example/x", "https://a.example/x"),
        ("is it so? yes # no", "is it so? yes # no"),
        ("got data:image/png;base64,iVBORw0KGgo= there", "got data:... there"),
    ],
)
def test_urls_lose_what_is_secret(text: str, clean: str) -> None:
    assert cut_urls(text) == clean


def test_keys_and_their_halves_go() -> None:
    assert without("key id123456:secret99 or secret99", ["id123456:secret99"]) == "key *** or ***"
    assert without("abc", ["", "b", "a:b"]) == "abc"


def test_one_printable_line() -> None:
    assert plain("a\nb\x00c\u202ed", 50) == "a b c d"
    assert plain("x" * 50, 10) == "xxxxxxx..."
    assert plain("", 10) == ""
