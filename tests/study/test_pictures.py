from __future__ import annotations

import io

import numpy as np
import pytest
from make_run import MARKER, marked_png, noise
from PIL import Image

from evalkit.images import Header, ImageProblem, decode
from evalkit.store import ObjectStore, Workspace
from evalkit.study.pictures import GREY, MAX_EDGE, Pictures, Stimulus, common_size, encode, fit


@pytest.fixture
def objects(workspace: Workspace) -> ObjectStore:
    return workspace.objects


def test_pixels_are_exact_and_nothing_else_is_left(objects: ObjectStore) -> None:
    picture = noise("c", "s")
    picture.info["icc_profile"] = MARKER.encode()
    data = marked_png(picture, MARKER)
    assert data.count(MARKER.encode()) >= 3
    pictures = Pictures(objects)
    out = pictures.get(Stimulus(objects.put(data)))
    pictures.close()
    assert np.array_equal(decode(out), decode(data))
    assert MARKER.encode() not in out
    with Image.open(io.BytesIO(out)) as image:
        assert image.format == "WEBP"
        assert not {"exif", "icc_profile", "xmp"} & set(image.info)


def test_encode_drops_what_pillow_would_write_from_info() -> None:
    picture = noise("c", "s")
    picture.info.update(exif=b"Exif\0\0" + MARKER.encode(), icc_profile=MARKER.encode(), xmp=MARKER.encode())
    assert MARKER.encode() not in encode(picture)


def test_a_pair_has_one_size_from_both_sides(objects: ObjectStore) -> None:
    small, wide = noise("c", "small", (40, 40)), noise("c", "wide", (80, 30))
    a, b = (objects.put(marked_png(p, "")) for p in (small, wide))
    pictures = Pictures(objects)
    left, right = decode(pictures.get(Stimulus(a, b))), decode(pictures.get(Stimulus(b, a)))
    pictures.close()
    assert left.shape == right.shape == (40, 40, 3)
    assert np.array_equal(left, np.asarray(small))
    assert tuple(right[0, 0]) == GREY, "what is left over is grey"
    assert tuple(right[20, 20]) != GREY


def test_common_size_is_symmetric_and_capped() -> None:
    one, other = Header(30, 60, "png"), Header(60, 30, "png")
    assert common_size(one, other) == common_size(other, one)
    huge = Header(8192, 4096, "png")
    assert common_size(huge, huge) == (MAX_EDGE, MAX_EDGE // 2)


def test_fit_never_crops() -> None:
    ramp = Image.fromarray(np.full((10, 100, 3), 200, np.uint8))
    out = np.asarray(fit(ramp, (50, 50)))
    assert (out == 200).all(axis=2).sum() == 50 * 5


def test_every_picture_is_encoded_once_and_the_cache_is_bounded(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shas = [objects.put(marked_png(noise(str(n), "s"), "")) for n in range(6)]
    size = len(encode(noise("0", "s")))
    pictures = Pictures(objects, cache_bytes=3 * size + size // 2)
    calls: list[str] = []
    real = Pictures._encode
    monkeypatch.setattr(Pictures, "_encode", lambda s, x: calls.append(x.image) or real(s, x))
    for sha in shas:
        pictures.prepare(Stimulus(sha))
        pictures.get(Stimulus(sha))
        pictures.get(Stimulus(sha))
    assert calls == shas
    pictures.get(Stimulus(shas[-1]))
    assert calls == shas
    pictures.get(Stimulus(shas[0]))
    assert calls == [*shas, shas[0]], "the oldest one was dropped"
    pictures.close()


def test_a_picture_that_cannot_be_read_is_tried_again(objects: ObjectStore) -> None:
    broken = Stimulus(objects.put(b"not a picture"))
    pictures = Pictures(objects)
    for _ in range(2):
        with pytest.raises(ImageProblem):
            pictures.get(broken)
    pictures.close()
