from __future__ import annotations

import asyncio
import base64

import pytest
from pictureserver import bomb, picture

from evalkit.remote import download
from evalkit.remote.download import Downloader, DownloadFailed, inline, shown

PNG = picture()


def test_inline_pictures_and_urls_are_told_apart() -> None:
    text = base64.b64encode(PNG).decode()
    assert inline(text) == PNG
    assert inline(f" {text}\n") == PNG
    assert inline(f"data:image/png;base64,{text}") == PNG
    assert inline(f"DATA:application/octet-stream;name=x;BASE64,{text}") == PNG
    for url in ("https://pictures.example/x", "http://127.0.0.1/x", "ftp://x/y", "file:///etc/passwd"):
        assert inline(url) is None


ENCODED = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "   ",
        "data:,",
        "data:image/png,abc",
        f"data:image/png,{ENCODED}",
        f"data:image/png;base64{ENCODED}",
        f"data:{'x' * 300};base64,{ENCODED}",
        "data:image/png;base64,",
        ENCODED[:-1] + "*",
        ENCODED[:41] + "\n" + ENCODED[41:],
        ENCODED.rstrip("=") + "=" * 5,
        ENCODED + ENCODED[:4] + "=",
        ENCODED[:9],
        "é" * 8,
        base64.b64encode(b"<html>no</html>").decode(),
        "/files/x.png",
    ],
)
def test_malformed_inline_pictures_are_refused(value: str) -> None:
    with pytest.raises(DownloadFailed) as caught:
        inline(value)
    assert caught.value.kind == "download"


def test_inline_pictures_are_measured_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", len(PNG))
    assert inline(ENCODED) == PNG
    monkeypatch.setattr(download, "MAX_BYTES", len(PNG) - 3)
    monkeypatch.setattr(download.binascii, "a2b_base64", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(DownloadFailed, match="larger than"):
        inline(ENCODED)


def test_inline_pictures_are_decoded_as_well() -> None:
    async def main(value: str) -> bytes:
        downloader = Downloader(loopback=False)
        try:
            return await downloader.picture(value)
        finally:
            await downloader.aclose()

    assert asyncio.run(main(ENCODED)) == PNG
    for data in (PNG[:-200], bomb(30_000)):
        with pytest.raises(DownloadFailed):
            asyncio.run(main(base64.b64encode(data).decode()))


def test_urls_are_shown_without_what_must_not_be_seen() -> None:
    assert shown("https://me:pw@h.example:8443/a/b.png?sig=1#frag") == "https://h.example:8443/a/b.png"
    assert len(shown("https://h.example/" + "a" * 500)) == 120
    assert shown("https://h.example:x/?sig=1") == shown("sig=1") == "the URL"
