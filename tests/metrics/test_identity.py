"""Is it the same face? Known changes of one photograph, other people, and groups of them."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from facial import (
    MARGIN,
    TILE,
    astronaut,
    astronaut_tile,
    empty,
    group,
    jpeg,
    needs_faces,
    person,
    pixels,
)
from PIL import Image, ImageFilter
from skimage import data

from evalkit.errors import WeightsMissing
from evalkit.images import ImageProblem
from evalkit.metrics import faces
from evalkit.metrics.identity import SAME, Identity, pair_up

pytestmark = pytest.mark.reference

HALF = Image.Resampling.LANCZOS


@pytest.fixture
def compare(make_subject):
    """The values of an edit against its source."""

    def score(image, source):
        (values,) = Identity().score([make_subject(image, source)])
        assert set(values) == {output.name for output in Identity.outputs}
        return values

    return score


# ------------------------------------------------------------------ finding faces


@needs_faces
@pytest.mark.parametrize("size", [200, 256, 512, 1024, 2048])
def test_the_same_face_is_found_at_every_size(size: int):
    (face,) = faces.find(pixels(astronaut().resize((size, size), HALF)))
    assert np.array(face.box) / size == pytest.approx(np.array((179, 84, 266, 170)) / 512, abs=0.02)
    assert np.array(face.points[4]) / size == pytest.approx(np.array((224.5, 135)) / 512, abs=0.02)


@needs_faces
def test_a_badge_is_not_a_face():
    """The plain detector takes the name plate of a turned astronaut for a second face."""
    turned = pixels(astronaut().rotate(10, Image.Resampling.BICUBIC).resize((1536, 1536), HALF))
    plain = faces._detector()(turned, 0)
    assert len(plain) > 1
    assert len(faces.find(turned)) == 1


@needs_faces
@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "coins", "brick"])
def test_photographs_without_people_have_no_faces(name: str):
    image = getattr(data, name)()
    assert faces.find(image if image.ndim == 3 else np.stack([image] * 3, axis=-1)) == ()


@needs_faces
def test_people_are_found_and_other_cut_outs_are_not():
    assert sum(len(faces.find(group(person(n)))) == 1 for n in range(12)) >= 9
    assert [n for n in range(100, 108) if faces.find(group(person(n)))] == []


@needs_faces
def test_the_largest_comes_first():
    small = pixels(Image.fromarray(person(2)).resize((72, 72)))
    image = group(empty(TILE, TILE), person(8))
    image[MARGIN : MARGIN + 72, MARGIN : MARGIN + 72] = small
    first, second = faces.find(image)
    assert first.width > second.width
    assert first.centre[0] > second.centre[0]


def test_boxes_overlap_by_their_shared_part():
    assert faces.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert faces.overlap((0, 0, 2, 2), (2, 2, 3, 3)) == 0


@needs_faces
def test_a_picture_with_a_digest_is_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    looks: list[int] = []
    monkeypatch.setattr(faces, "_find", lambda image: looks.append(1) or ())
    for _ in range(3):
        faces.find(empty(90, 91), "digest of this test")
    assert len(looks) == 1
    faces.find(empty(91, 90), "digest of this test")
    faces.find(empty(90, 91))
    assert len(looks) == 3


# ------------------------------------------------------------------ telling people apart


def changed() -> dict[str, object]:
    one = astronaut()
    return {
        "jpeg 50": (jpeg(one, 50), 0.09),
        "half the size": (pixels(one.resize((256, 256), HALF)), 0.20),
        "blur of sigma 2": (pixels(one.filter(ImageFilter.GaussianBlur(2))), 0.38),
        "mirrored": (pixels(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), 0.19),
        "turned by 10 degrees": (pixels(one.rotate(10, Image.Resampling.BICUBIC)), 0.12),
        "grey": (pixels(one.convert("L")), 0.18),
        "cropped and enlarged": (pixels(one.crop((100, 0, 400, 300)).resize((512, 512), HALF)), 0.06),
    }


@needs_faces
@pytest.mark.parametrize("change", changed())
def test_one_person_stays_the_same(compare, change: str):
    """Measured before with dlib alone; the closer look at small pictures makes some smaller."""
    image, before = changed()[change]
    values = compare(image, data.astronaut())
    assert values["identity_distance"].value == pytest.approx(before, abs=0.08)
    assert values["identity_same"].value == 1
    assert values["identity_faces_kept"].value == 1


@needs_faces
def test_an_untouched_face_is_at_no_distance(compare):
    assert compare(data.astronaut(), data.astronaut())["identity_distance"].value == pytest.approx(
        0, abs=1e-6
    )


@needs_faces
def test_other_people_are_other_people():
    """The astronaut and six of Labeled Faces in the Wild; at 25 px a few of those look alike."""
    people = [astronaut_tile(), *map(person, (0, 1, 2, 3, 5, 8))]
    vectors = [faces.embeddings(group(one))[0] for one in people]
    apart = np.array([np.linalg.norm(a - b) for a, b in combinations(vectors, 2)])
    assert np.linalg.norm(np.array(vectors[1:]) - vectors[0], axis=1).min() > SAME
    assert (apart > SAME).mean() > 0.85


@needs_faces
def test_another_person_is_told(compare):
    values = compare(group(person(2)), group(astronaut_tile()))
    assert values["identity_distance"].value > SAME
    assert values["identity_same"].value == 0
    assert values["identity_faces_kept"].value == 0
    assert values["identity_distance"].detail.endswith("(another)")


@needs_faces
def test_people_who_change_places_are_all_kept(compare):
    values = compare(
        group(person(8), astronaut_tile(), person(2)), group(astronaut_tile(), person(2), person(8))
    )
    assert values["identity_faces_kept"].value == 1
    assert values["identity_distance"].value < 0.2


@needs_faces
def test_one_of_three_who_is_replaced_and_one_who_is_gone(compare):
    source = group(astronaut_tile(), person(2), person(8))
    replaced = compare(group(astronaut_tile(), person(24), person(8)), source)
    gone = compare(group(astronaut_tile(), person(8)), source)
    assert replaced["identity_faces_kept"].value == pytest.approx(2 / 3)
    assert gone["identity_faces_kept"].value == pytest.approx(2 / 3)
    assert "another" in replaced["identity_faces_kept"].detail
    assert "lost" in gone["identity_faces_kept"].detail


def brute(apart: np.ndarray) -> tuple[int, float]:
    """Most pairs below the threshold, then the smallest sum, over all ways to pair up."""
    m, n = apart.shape
    ways = permutations(range(n), m) if m <= n else (tuple(way) for way in permutations(range(m), n))
    chosen = [[apart[i, j] if m <= n else apart[j, i] for i, j in enumerate(way)] for way in ways]
    return min((-sum(d < SAME for d in way), sum(way)) for way in chosen)


@pytest.mark.parametrize("seed", range(12))
def test_pairing_agrees_with_trying_every_way(seed: int):
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 5, 2)
    source, edit = rng.normal(0, 0.06, (m, 128)), rng.normal(0, 0.06, (n, 128))
    edit[: min(m, n) // 2] = source[: min(m, n) // 2] + 0.02
    matches = pair_up(source, edit)
    assert len(matches) == min(m, n)
    apart = np.linalg.norm(source[:, None] - edit[None], axis=-1)
    fewest, total = brute(apart)
    assert -sum(match.same for match in matches) == fewest
    assert sum(match.distance for match in matches) == pytest.approx(total)


# ------------------------------------------------------------------ nothing to compare


@needs_faces
def test_a_face_that_is_gone_was_not_kept(compare):
    values = compare(empty(), data.astronaut())
    assert values["identity_distance"].reason == "face_lost"
    assert values["identity_same"].value == 0
    assert values["identity_faces_kept"].value == 0
    assert values["identity_same"].detail == "faces in the source: 1, in the edit: 0; 1 lost"


@needs_faces
def test_a_source_without_a_face_is_nobody_s_fault(compare):
    for image in (data.astronaut(), empty()):
        assert {value.reason for value in compare(image, data.coffee()).values()} == {"no_face"}


@needs_faces
def test_a_small_face_is_flagged(compare):
    small = pixels(astronaut().resize((160, 160), HALF))
    assert compare(small, data.astronaut())["identity_distance"].flag == "unreliable"
    assert compare(data.astronaut(), small)["identity_same"].flag == "unreliable"
    assert compare(data.astronaut(), data.astronaut())["identity_distance"].flag is None


@needs_faces
@pytest.mark.parametrize("size", [(1, 1), (2, 2000), (2000, 2), (20, 20), (60, 5000)])
def test_pictures_too_small_for_a_face(compare, size):
    tiny = np.zeros((*size, 3), np.uint8)
    assert {value.reason for value in compare(tiny, data.astronaut()).values()} == {"too_small"}
    assert {value.reason for value in compare(data.astronaut(), tiny).values()} == {"source_too_small"}


@needs_faces
@pytest.mark.parametrize("size", [(40, 40), (90, 40), (27, 1536)])
def test_plain_pictures_of_any_shape(compare, size):
    values = compare(empty(*size), empty(*size))
    assert {value.reason for value in values.values()} <= {"no_face", "source_too_small"}


@needs_faces
def test_reasons_of_pictures_that_are_not_there(make_subject):
    def broken():
        raise ImageProblem("decode_error", "the source is broken")

    subjects = [
        make_subject(None, data.astronaut()),
        make_subject(data.astronaut()),
        replace(make_subject(data.astronaut()), load_source=broken),
    ]
    reasons = [{value.reason for value in values.values()} for values in Identity().score(subjects)]
    assert reasons == [{"decode_error"}, {"no_source"}, {"source_decode_error"}]


# ------------------------------------------------------------------ the models


@needs_faces
def test_the_models_are_the_published_ones():
    """sha256 of dlib's own files, as face_recognition_models 0.3.0 carries them; never the 68-point one."""
    files = faces.model_files()
    assert sorted(files) == [
        "dlib_face_recognition_resnet_model_v1.dat",
        "shape_predictor_5_face_landmarks.dat",
    ]
    assert Identity().weights_digest() == faces.weights_digest(network=True)
    assert Identity().weights_digest() != faces.weights_digest(network=False)


@pytest.mark.parametrize(
    ("gone", "said"), [("dlib", "dlib is not installed"), ("face_recognition_models", "face models")]
)
def test_missing_libraries_are_missing_weights(monkeypatch: pytest.MonkeyPatch, gone: str, said: str):
    there = importlib.util.find_spec("numpy")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == gone else there)
    with pytest.raises(WeightsMissing, match=said) as caught:
        Identity().weights_digest()
    assert caught.value.hint == "pip install 'evalkit[face]'"


def test_missing_files_are_missing_weights(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: importlib.machinery.ModuleSpec(name, None, origin="gone/__init__.py"),
    )
    with pytest.raises(WeightsMissing, match="shape_predictor_5"):
        Identity().weights_digest()


def test_settings_say_which_detector(monkeypatch: pytest.MonkeyPatch):
    assert set(Identity().config) >= {"dlib", "long_side", "sure", "same"}

    def unknown(name: str) -> str:
        raise faces.PackageNotFoundError(name)

    monkeypatch.setattr(faces, "version", unknown)
    assert Identity().config["dlib"] == ""
