from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.errors import UnknownName, UsageError, WeightsMissing
from evalkit.metrics.clip import Clip, Encoder, Memory, judged_text, load_open_clip
from evalkit.types import Case
from evalkit.weights.mini_model import MINI_CAVEAT, mini_digest
from evalkit.weights.torchguard import import_open_clip

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
LONG = " ".join(f"word{n}" for n in range(100))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A seeded, untrained open_clip model that evaluates in a millisecond."""
    open_clip = import_open_clip()
    path = tmp_path_factory.mktemp("clip") / "evalkit-tiny.json"
    path.write_text(json.dumps(TINY), encoding="utf-8")
    open_clip.add_model_config(path)
    torch.manual_seed(5)
    return load_open_clip("evalkit-tiny", None)


class Counting:
    """Wraps an encoder and counts what it is asked to embed."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.seen_images, self.seen_texts = encoder, 0, 0
        self.cut = encoder.cut

    def images(self, pictures):
        self.seen_images += len(pictures)
        return self.encoder.images(pictures)

    def texts(self, texts):
        self.seen_texts += len(texts)
        return self.encoder.texts(texts)


def test_equals_raw_open_clip(tiny: Encoder, make_subject, photo, noisy):
    metric = Clip(encoder=tiny)
    subjects = [
        make_subject(image, prompt=text) for image in (photo, noisy) for text in ("a cup of coffee", LONG)
    ]
    ours = [values["clip_cos"].value for values in metric.score(subjects)]
    with torch.no_grad():
        for subject, cosine in zip(subjects, ours, strict=True):
            image = tiny.model.encode_image(tiny.preprocess(Image.fromarray(subject.image))[None])
            text = tiny.model.encode_text(tiny.tokenizer([subject.case.prompt]))
            expected = torch.nn.functional.cosine_similarity(image, text).item()
            assert cosine == pytest.approx(expected, abs=1e-5)


def test_pictures_reach_the_model_exactly_as_preprocess_val_makes_them(tiny: Encoder, photo):
    seen: list[torch.Tensor] = []

    class Spy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.anchor = torch.nn.Parameter(torch.zeros(1))

        def encode_image(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(batch)
            return torch.ones(len(batch), 3)

    Encoder(Spy(), tiny.preprocess, tiny.tokenizer).images([photo])
    assert torch.equal(seen[0][0], tiny.preprocess(Image.fromarray(photo)))


def test_a_long_prompt_keeps_its_end_token(tiny: Encoder):
    assert tiny.tokenizer([LONG])[0, -1].item() == 49407


def test_how_much_was_cut_is_reported(tiny: Encoder, make_subject, photo):
    short, long = Clip(encoder=tiny).score(
        [make_subject(photo, prompt="a cup"), make_subject(photo, prompt=LONG)]
    )
    assert short["clip_truncated"].value == 0
    tokens = len(tiny.tokenizer.encode(LONG)) + 2
    assert long["clip_truncated"].value == pytest.approx((tokens - 77) / tokens)
    assert long["clip_cos"].value is not None


def test_each_picture_and_text_is_embedded_once(tiny: Encoder, make_subject, photo, noisy):
    counting = Counting(tiny)
    metric = Clip(encoder=counting)
    subjects = [make_subject(image, prompt=text) for image in (photo, noisy) for text in ("a", "b", "c")]
    first = metric.score(subjects)
    assert (counting.seen_images, counting.seen_texts) == (2, 3)
    assert metric.score(subjects) == first
    assert (counting.seen_images, counting.seen_texts) == (2, 3)


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
    values = metric.score([make_subject(None), make_subject(photo, prompt="  "), make_subject(strip)])
    assert [v["clip_cos"].reason for v in values] == ["decode_error", "no_prompt", "extreme_aspect"]
    assert metric.score([]) == []


def test_missing_weights_name_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_subject, photo
):
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path))
    metric = Clip()
    with pytest.raises(WeightsMissing) as caught:
        metric.weights_digest()
    assert caught.value.hint == "evalkit weights pull clip-vit-b-32"
    with pytest.raises(WeightsMissing):
        metric.score([make_subject(photo)])
    with pytest.raises(WeightsMissing):
        Clip({"model": "ViT-B-16", "pretrained": str(tmp_path / "gone.pt")}).weights_digest()


def test_a_checkpoint_file_gives_the_same_model(tiny: Encoder, tmp_path: Path, make_subject, photo):
    path = tmp_path / "mine.pt"
    torch.save(tiny.model.state_dict(), path)
    metric = Clip({"model": "evalkit-tiny", "pretrained": str(path)})
    assert len(metric.weights_digest() or "") == 64
    (ours,), (expected,) = (
        metric.score([make_subject(photo)]),
        Clip(encoder=tiny).score([make_subject(photo)]),
    )
    assert ours["clip_cos"].value == pytest.approx(expected["clip_cos"].value, abs=1e-6)


def test_wrong_options():
    with pytest.raises(UnknownName, match="ViT-B-33"):
        Clip({"model": "ViT-B-33"})
    with pytest.raises(UnknownName, match="laion400m"):
        Clip({"pretrained": "laion400m"})
    with pytest.raises(UsageError):
        Clip({"model": "mini", "pretrained": "x.pt"})
    with pytest.raises(UnknownName):
        load_open_clip("ViT-nothing", None)


def test_a_tag_keeps_its_own_mean_and_std(monkeypatch: pytest.MonkeyPatch):
    """ViT-L-14 laion2b_s32b_b82k was trained with other constants than the architecture's default."""
    open_clip = import_open_clip()
    asked = {}

    def create(model, **options):
        asked.update(options, model=model)
        return torch.nn.Identity(), None, None

    monkeypatch.setattr(open_clip, "create_model_and_transforms", create)
    load_open_clip("ViT-L-14", Path("x.bin"), "laion2b_s32b_b82k")
    assert asked["image_mean"] == (0.5, 0.5, 0.5)
    assert asked["pretrained"] == "x.bin"


def test_memory_forgets_the_oldest():
    memory = Memory(size=2)
    asked: list[list[str]] = []

    def embed(keys: list[str]) -> np.ndarray:
        asked.append(keys)
        return np.array([[float(ord(key))] for key in keys], np.float32)

    memory.fill(["a", "b", "a"], embed)
    memory.fill(["a"], embed)
    assert memory.fill(["c", "a"], embed)["a"][0] == ord("a")
    memory.fill(["b"], embed)
    assert asked == [["a", "b"], ["c"], ["b"]]


def test_mini_says_what_it_is_good_for():
    assert Clip({"model": "mini"}).caveat == MINI_CAVEAT
    assert Clip({"model": "mini"}).weights_digest() == mini_digest()
    assert Clip().caveat == ""
