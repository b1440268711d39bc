"""What a scoring worker holds of the pictures it judges."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evalkit.images import Header, ImageProblem
from evalkit.metrics.base import Subject
from evalkit.runner import pictures as pictures_module
from evalkit.runner.judge import Job, LazySubject
from evalkit.runner.pictures import Pictures
from evalkit.store import ObjectStore
from evalkit.types import Case


def png(shade: int, width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 0, 255 - shade)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of every file that was decoded."""
    seen: list[int] = []
    decode = pictures_module.decode
    monkeypatch.setattr(pictures_module, "decode", lambda data: seen.append(len(data)) or decode(data))
    return seen


def subject(store: ObjectStore, image: str, source: str | None = None, mask: str | None = None) -> Subject:
    job = Job("k", image, Case("c", "p"), source, mask, {"seed": "1"}, "product")
    return LazySubject(Pictures(store), job)


def test_a_subject_reads_nothing_before_it_is_looked_at(store: ObjectStore, decoded: list[int]) -> None:
    one = subject(store, store.put(png(9)))
    assert (one.case.id, one.asked, one.category) == ("c", {"seed": "1"}, "product")
    assert one.header == Header(40, 30, "png")
    assert decoded == []
    assert one.image is not None
    assert one.image.shape == (30, 40, 3)
    assert one.image_problem is None
    assert len(decoded) == 1
    with pytest.raises(AttributeError):
        _ = one.colour


def test_reasons(store: ObjectStore) -> None:
    cut = store.put(png(3)[:60])
    broken = subject(store, cut, source=cut)
    assert broken.image is None
    assert broken.image_problem == "decode_error"
    with pytest.raises(ImageProblem) as caught:
        broken.load_source()
    assert caught.value.reason == "decode_error"
    lost = subject(store, "ab" * 32)
    assert (lost.image, lost.image_problem, lost.header) == (None, "object_missing", None)
    assert lost.load_source() is None
    assert lost.load_mask() is None


def test_source_and_mask(store: ObjectStore) -> None:
    one = subject(store, store.put(png(1)), store.put(png(2)), store.put(png(200)))
    assert one.load_source()[0, 0].tolist() == [2, 0, 253]
    assert one.load_mask().all()


def test_the_oldest_are_let_go(store: ObjectStore, decoded: list[int]) -> None:
    shown = Pictures(store, budget=3 * 30 * 40 * 3)
    shas = [store.put(png(n)) for n in range(6)]
    for sha in shas:
        shown.pixels(sha)
    assert len(decoded) == 6
    shown.pixels(shas[-1])
    assert len(decoded) == 6
    shown.pixels(shas[0])
    assert len(decoded) == 7
    huge = Pictures(store, budget=1)
    assert huge.pixels(shas[0])[0] is not None
    assert huge.pixels(shas[0])[0] is huge.pixels(shas[0])[0]


def test_threads_that_want_the_same_picture_decode_it_once(store: ObjectStore, decoded: list[int]) -> None:
    shown, sha, together = Pictures(store), store.put(png(5, 900, 900)), threading.Barrier(8)

    def look(_: int) -> np.ndarray:
        together.wait()
        return shown.pixels(sha)[0]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(look, range(8)))
    assert len(decoded) == 1
    assert all(one is found[0] for one in found)
