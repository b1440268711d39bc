from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tiny_clip
import torch
from PIL import Image
from tiny_clip import Counting

from evalkit.images import Header
from evalkit.metrics.clip import HESSEL_PREFIX, Clip
from evalkit.metrics.networks.encoders import Encoder
from evalkit.metrics.networks.prompts import judged_text
from evalkit.metrics.networks.views import padded
from evalkit.types import Case
from evalkit.weights.mini_model import MINI_CAVEAT, mini_digest

pytestmark = pytest.mark.reference

LONG = " ".join(f"Sentence number {n} says a little." for n in range(30))


@pytest.fixture(scope="module")
def tiny() -> Encoder:
    return tiny_clip.tiny()


def raw_cosine(encoder: Encoder, picture: np.ndarray, text: str) -> float:
    """open_clip called directly."""
    with torch.no_grad():
        image = encoder.model.encode_image(encoder.preprocess(Image.fromarray(picture))[None])
        words = encoder.model.encode_text(encoder.tokenizer([text]))
        return torch.nn.functional.cosine_similarity(image, words).item()


def test_equals_raw_open_clip(tiny: Encoder, make_subject, photo, noisy):
    subjects = [
        make_subject(image, prompt=text) for image in (photo, noisy) for text in ("a cup of coffee", LONG)
    ]
    for subject, values in zip(subjects, Clip(encoder=tiny).score(subjects), strict=True):
        expected = raw_cosine(tiny, subject.image, subject.case.prompt)
        assert values["clip_cos"].value == pytest.approx(expected, abs=1e-5)


def test_every_output_by_its_definition(tiny: Encoder, make_subject, photo):
    (values,) = Clip(encoder=tiny).score([make_subject(photo, prompt=LONG)])
    found = {name: value.value for name, value in values.items()}
    parts = tiny.parts(LONG)
    over_parts = [raw_cosine(tiny, photo, part) for part in parts]
    square = padded(photo, (123, 117, 104))
    assert len(parts) > 2
    assert found["clip_cos_pad"] == pytest.approx(raw_cosine(tiny, square, LONG), abs=1e-5)
    assert found["clip_cos_chunked"] == pytest.approx(np.mean(over_parts), abs=1e-5)
    assert found["clip_cos_chunked_min"] == pytest.approx(min(over_parts), abs=1e-5)
    prefixed = raw_cosine(tiny, photo, HESSEL_PREFIX + LONG)
    assert found["clipscore_hessel"] == pytest.approx(2.5 * max(prefixed, 0), abs=1e-5)
    assert found["clipscore"] == pytest.approx(100 * max(found["clip_cos"], 0), abs=1e-9)


def test_the_compatible_scores_are_clamped_picture_by_picture(tiny: Encoder, make_subject, photo):
    """A mean that is clamped afterwards would let one picture pay for another."""

    class Scattered(Counting):
        def texts(self, texts):
            vectors = np.random.default_rng(4).normal(size=(len(texts), 24)).astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    subjects = [make_subject(photo, prompt=f"thing {n}") for n in range(40)]
    values = Clip(encoder=Scattered(tiny)).score(subjects)
    cosines = [v["clip_cos"].value for v in values]
    below = [v for v, cosine in zip(values, cosines, strict=True) if cosine < 0]
    above = [v for v, cosine in zip(values, cosines, strict=True) if cosine > 0]
    assert below
    assert above
    assert all(v["clipscore"].value == 0 for v in below)
    assert all(v["clipscore"].value == 100 * v["clip_cos"].value for v in above)


def test_a_prompt_that_fits_and_a_square_picture_change_nothing(tiny: Encoder, make_subject, photo):
    counting = Counting(tiny)
    square = photo[:, :192]
    (values,) = Clip(encoder=counting).score([make_subject(square, prompt="a cup of coffee")])
    same = {
        values[name].value
        for name in ("clip_cos", "clip_cos_pad", "clip_cos_chunked", "clip_cos_chunked_min")
    }
    assert len(same) == 1
    assert counting.seen_images == 1
    assert counting.seen_texts == 2  # the prompt, and the prompt with Hessel's prefix


def test_pictures_reach_the_model_exactly_as_preprocess_val_makes_them(tiny: Encoder, make_subject, photo):
    seen: list[torch.Tensor] = []

    class Spy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.anchor = torch.nn.Parameter(torch.zeros(1))

        def encode_image(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(batch)
            return torch.ones(len(batch), 24)

        encode_text = staticmethod(lambda tokens: torch.ones(len(tokens), 24))

    Clip(encoder=Encoder(Spy(), tiny.preprocess, tiny.tokenizer)).score([make_subject(photo)])
    grey = padded(photo, (128, 128, 128))  # the Spy has no mean of its own
    for got, picture in zip(torch.cat(seen), (photo, grey), strict=True):
        assert torch.equal(got, tiny.preprocess(Image.fromarray(picture)))


def test_padding_puts_the_picture_in_the_middle(photo):
    square = padded(photo, (1, 2, 3))
    assert square.shape == (256, 256, 3)
    assert np.array_equal(square[32:224], photo)
    assert {tuple(pixel) for pixel in square[:32].reshape(-1, 3)} == {(1, 2, 3)}
    upright = padded(np.ascontiguousarray(photo.transpose(1, 0, 2)), (0, 0, 0))
    assert np.array_equal(upright[:, 32:224], photo.transpose(1, 0, 2))


def test_the_padding_is_what_the_model_takes_for_nothing(tiny: Encoder):
    assert tiny.mean_colour == (123, 117, 104)
    flat = np.full((8, 8, 3), tiny.mean_colour, np.uint8)
    assert tiny.prepare(flat).abs().max() < 0.01


def test_a_long_prompt_keeps_its_end_token(tiny: Encoder):
    hundred = " ".join(f"word{n}" for n in range(100))
    assert tiny.tokenizer([hundred])[0, -1].item() == 49407


def test_how_much_was_cut_is_reported(tiny: Encoder, make_subject, photo):
    subjects = [make_subject(photo, prompt=text) for text in ("a cup", LONG)]
    short, long = Clip(encoder=tiny).score(subjects)
    assert short["clip_truncated"].value == 0
    tokens = len(tiny.tokenizer.encode(LONG)) + 2
    assert long["clip_truncated"].value == pytest.approx((tokens - 77) / tokens)
    assert long["clip_cos"].value is not None


def test_a_tokenizer_that_does_not_count(tiny: Encoder, make_subject, photo):
    silent = replace(tiny, tokenizer=partial(tiny.tokenizer, context_length=77))
    (values,) = Clip(encoder=silent).score([make_subject(photo)])
    unknown = {name for name, value in values.items() if value.reason == "unknown_tokenizer"}
    assert unknown == {"clip_cos_chunked", "clip_cos_chunked_min", "clip_truncated"}
    assert values["clip_cos"].value == pytest.approx(raw_cosine(tiny, photo, "a red cup"), abs=1e-5)


def test_each_picture_and_text_is_embedded_once(tiny: Encoder, make_subject, photo, noisy):
    counting = Counting(tiny)
    metric = Clip(encoder=counting)
    subjects = [make_subject(image, prompt=text) for image in (photo, noisy) for text in ("a", "b", "c")]
    first = metric.score(subjects)
    assert (counting.seen_images, counting.seen_texts) == (4, 6)  # whole and padded; plain and prefixed
    assert metric.score(subjects) == first
    assert (counting.seen_images, counting.seen_texts) == (4, 6)


def test_order_and_company_do_not_matter(tiny: Encoder, make_subject, photo, noisy):
    subjects = [make_subject(image, prompt=text) for image in (photo, noisy) for text in ("a cat", "a dog")]
    together = Clip(encoder=tiny).score([*subjects * 9, make_subject(None)])
    alone = [Clip(encoder=tiny).score([subject])[0] for subject in subjects]
    for values, expected in zip(together, alone * 9, strict=False):
        assert values["clip_cos"].value == pytest.approx(expected["clip_cos"].value, abs=1e-6)
    assert together[-1]["clip_cos"].reason == "decode_error"


def test_which_text_is_judged():
    t2i = Case(id="a", prompt="a green mug", target_caption="ignored")
    edit = Case(id="b", prompt="make it green", task="edit", target_caption="a green mug")
    bare = Case(id="c", prompt="make it green", task="edit")
    assert [judged_text(case) for case in (t2i, edit, bare)] == [
        "a green mug",
        "a green mug",
        "make it green",
    ]
    assert Clip().against(edit) == {"text": "a green mug", "of": "target_caption"}
    assert Clip().against(bare) == {"text": "make it green", "of": "prompt"}


def test_reasons(tiny: Encoder, make_subject, photo):
    metric = Clip(encoder=tiny)
    strip = np.zeros((2, 4000, 3), np.uint8)
    cut_short = replace(make_subject(None), header=Header(64, 48, "png"), image_sha="cut")
    values = metric.score(
        [make_subject(None), make_subject(photo, prompt="  "), make_subject(strip), cut_short]
    )
    assert [v["clip_cos"].reason for v in values] == [
        "decode_error", "no_prompt", "extreme_aspect", "decode_error"
    ]  # fmt: skip
    assert metric.score([]) == []


def test_mini_says_what_it_is_good_for():
    assert Clip({"model": "mini"}).caveat == MINI_CAVEAT
    assert Clip({"model": "mini"}).weights_digest() == mini_digest()
    assert Clip().caveat == ""
