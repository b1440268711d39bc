from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny_clip
import torch
from PIL import Image
from tiny_clip import Counting

from evalkit.images import ImageProblem
from evalkit.metrics.edit import Edit, edit_box
from evalkit.metrics.networks.encoders import Encoder
from evalkit.weights.mini_model import MINI_CAVEAT

pytestmark = pytest.mark.reference

CAPTIONS = {"source_caption": "a red mug on a table", "target_caption": "a green mug on a table"}


@pytest.fixture(scope="module")
def tiny() -> Encoder:
    return tiny_clip.tiny()


@pytest.fixture
def asked(make_subject, photo, noisy, centre_mask):
    return make_subject(noisy, photo, centre_mask, task="edit", **CAPTIONS)


def embedded(encoder: Encoder, *what: np.ndarray | str) -> list[torch.Tensor]:
    """open_clip called directly; unit vectors."""
    vectors = []
    with torch.no_grad():
        for one in what:
            if isinstance(one, str):
                vector = encoder.model.encode_text(encoder.tokenizer([one]))
            else:
                vector = encoder.model.encode_image(encoder.preprocess(Image.fromarray(one))[None])
            vectors.append(torch.nn.functional.normalize(vector)[0])
    return vectors


def test_every_output_by_its_definition(tiny: Encoder, asked, photo, noisy):
    (values,) = Edit(encoder=tiny).score([asked])
    source, image, before, after = embedded(tiny, photo, noisy, *CAPTIONS.values())
    direction = torch.nn.functional.cosine_similarity(image - source, after - before, dim=0).item()
    assert values["clip_dir"].value == pytest.approx(direction, abs=1e-4)
    assert values["clip_i"].value == pytest.approx((image @ source).item(), abs=1e-5)
    (crop,) = embedded(tiny, noisy[60:132, 80:176])  # 66-126 and 88-168, a tenth of 60 and of 80 further
    assert values["clip_edit"].value == pytest.approx((crop @ after).item(), abs=1e-5)


def test_an_edit_that_does_nothing_has_no_direction(tiny: Encoder, make_subject, photo, centre_mask):
    same = replace(make_subject(photo, photo, centre_mask, **CAPTIONS), image_sha="other bytes, same pixels")
    (values,) = Edit(encoder=tiny).score([same])
    assert (values["clip_dir"].value, values["clip_dir"].reason) == (None, "no_change")
    assert values["clip_i"].value == pytest.approx(1, abs=1e-6)
    assert values["clip_edit"].value is not None


def test_captions_that_say_the_same_have_no_direction(tiny: Encoder, make_subject, noisy, photo):
    subject = make_subject(noisy, photo, source_caption="a mug", target_caption="a mug")
    assert Edit(encoder=tiny).score([subject])[0]["clip_dir"].reason == "no_change"


def test_the_right_edit_points_the_right_way():
    """On drawings that mini knows, with a mug that turned green, stayed red, or vanished."""
    from evalkit.metrics.base import Subject
    from evalkit.studio import draw, parse
    from evalkit.types import Case

    scene = "a {} mug in the centre on a wooden table"
    drawn = {
        colour: np.asarray(draw(parse(scene.format(colour)), 256, 256, 3))
        for colour in ("red", "green", "blue")
    }
    case = Case("c", "p", source_caption=scene.format("red"), target_caption=scene.format("green"))
    subjects = [
        Subject(colour, drawn[colour], None, case, "red", load_source=lambda: drawn["red"])
        for colour in ("green", "blue", "red")
    ]
    right, wrong, none = (v["clip_dir"] for v in Edit({"model": "mini"}).score(subjects))
    assert right.value > 0.5 > wrong.value
    assert none.reason == "no_change"


def test_the_box_has_a_margin_and_stays_within():
    mask = np.zeros((100, 200), np.bool_)
    mask[40:60, 100:140] = True
    assert edit_box(mask, (100, 200)) == (96, 38, 144, 62)
    assert edit_box(mask, (50, 100)) == (48, 19, 72, 31)
    mask[:] = True
    assert edit_box(mask, (100, 200)) == (0, 0, 200, 100)
    assert edit_box(~mask, (100, 200)) is None


def test_a_mask_over_everything_needs_no_crop(tiny: Encoder, make_subject, noisy, photo, centre_mask):
    counting = Counting(tiny)
    subject = make_subject(noisy, photo, np.ones_like(centre_mask), **CAPTIONS)
    (values,) = Edit(encoder=counting).score([subject])
    image, after = embedded(tiny, noisy, CAPTIONS["target_caption"])
    assert values["clip_edit"].value == pytest.approx((image @ after).item(), abs=1e-5)
    assert counting.seen_images == 2


def test_several_edits_of_one_source_share_its_embedding(tiny: Encoder, make_subject, noisy, photo):
    counting = Counting(tiny)
    edits = [make_subject(image, photo, **CAPTIONS) for image in (noisy, noisy[::-1].copy(), photo)]
    Edit(encoder=counting).score(edits)
    assert counting.seen_images == 4  # three edits and one source
    assert counting.seen_texts == 2


def test_reasons(tiny: Encoder, make_subject, photo, noisy, centre_mask):
    def broken():
        raise ImageProblem("decode_error", "broken")

    nowhere, dot = np.zeros_like(centre_mask), np.zeros_like(centre_mask)
    dot[5, 5] = True
    strip = np.zeros_like(centre_mask)
    strip[50, :] = True
    subjects = {
        "broken": make_subject(None, photo, centre_mask, **CAPTIONS),
        "no source": make_subject(noisy, **CAPTIONS),
        "broken source": replace(make_subject(noisy, photo, centre_mask, **CAPTIONS), load_source=broken,
                                 source_sha="broken"),
        "no captions": make_subject(noisy, photo, centre_mask),
        "no mask": make_subject(noisy, photo, **CAPTIONS),
        "another shape": make_subject(noisy[:100], photo, centre_mask, **CAPTIONS),
        "empty mask": make_subject(noisy, photo, nowhere, **CAPTIONS),
        "tiny mask": make_subject(noisy, photo, dot, **CAPTIONS),
        "thin picture": make_subject(np.zeros((2, 900, 3), np.uint8), photo, centre_mask, **CAPTIONS),
    }  # fmt: skip
    found = dict(zip(subjects, Edit(encoder=tiny).score(list(subjects.values())), strict=True))
    reasons = {name: tuple(value.reason for value in values.values()) for name, values in found.items()}
    assert reasons == {
        "broken": ("decode_error",) * 3,
        "no source": ("no_source",) * 3,
        "broken source": ("source_decode_error", None, "source_decode_error"),
        "no captions": ("no_captions", "no_captions", None),
        "no mask": (None, "no_mask", None),
        "another shape": (None, "unaligned", None),
        "empty mask": (None, "no_inside", None),
        "tiny mask": (None, "too_small", None),
        "thin picture": ("extreme_aspect",) * 3,
    }


def test_the_key_knows_both_captions_and_mini_its_limits(asked):
    assert Edit().against(asked.case) == CAPTIONS
    assert Edit({"model": "mini"}).caveat == MINI_CAVEAT
