from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import WeightsMissing
from evalkit.metrics import lpips as lpips_module
from evalkit.metrics.base import Subject
from evalkit.metrics.lpips import MARGIN, Lpips, reduced
from evalkit.metrics.networks import perceivers
from evalkit.metrics.networks.perceivers import (
    Perceiver,
    blank_lpips,
    distance_map,
    load_lpips,
    lpips_perceiver,
    mini_perceiver,
    to_tensor,
    trunk_state,
)
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.overlay.pairs import Pair, erode
from evalkit.weights import mini_model
from evalkit.weights.torchguard import torchvision_guard

pytestmark = pytest.mark.reference

TORCHVISION = {"alex": "alexnet", "squeeze": "squeezenet1_1"}


@pytest.fixture(scope="module", params=["alex", "squeeze"])
def network(request: pytest.FixtureRequest):
    """The lpips package's own network with a seeded random trunk."""
    torch.manual_seed(11)
    return blank_lpips(request.param)


@pytest.fixture(scope="module")
def alex():
    torch.manual_seed(11)
    return blank_lpips("alex")


def test_scalar_and_map_equal_the_package(network, photo, noisy):
    perceiver = lpips_perceiver(network)
    first, second = to_tensor([photo]), to_tensor([noisy])
    with torch.no_grad():
        network.spatial = False
        scalar = network(first, second).item()
        network.spatial = True
        spatial = network(first, second)[0, 0]
    layers = perceiver.differences(perceiver.see([photo]), perceiver.see([noisy]))
    assert sum(layer.mean() for layer in layers).item() == pytest.approx(scalar, abs=1e-6)
    ours = distance_map(layers, *photo.shape[:2])[0]
    assert torch.allclose(ours, spatial, atol=1e-6)
    assert ours.mean().item() == pytest.approx(scalar, abs=1e-6)


def test_metric_reports_the_packages_numbers(alex, make_subject, photo, noisy, centre_mask):
    (values,) = Lpips(perceiver=lpips_perceiver(alex)).score([make_subject(noisy, photo, centre_mask)])
    with torch.no_grad():
        alex.spatial = True
        spatial = alex(to_tensor([photo]), to_tensor([noisy]))[0, 0].numpy()
    assert values["lpips"].value == pytest.approx(spatial.mean(), abs=1e-6)
    assert values["lpips_out"].value == pytest.approx(spatial[erode(~centre_mask, MARGIN)].mean(), abs=1e-6)


def test_input_range_is_minus_one_to_one():
    image = np.array([[[0, 255, 127]]], np.uint8)
    assert to_tensor([image]).flatten().tolist() == pytest.approx([-1, 1, -1 / 255])


def test_identical_pictures_are_at_zero(alex, make_subject, photo, centre_mask):
    (values,) = Lpips(perceiver=lpips_perceiver(alex)).score([make_subject(photo, photo, centre_mask)])
    assert values["lpips"].value == values["lpips_out"].value == 0


def test_a_torchvision_checkpoint_fills_the_whole_trunk(network):
    """Every tensor is found: a mapping that misses some would compare other networks without a word."""
    torchvision_guard()
    from torchvision import models

    torch.manual_seed(3)
    trunk = getattr(models, TORCHVISION[network.pnet_type])(weights=None)
    network.net.load_state_dict(trunk_state(network.net, trunk.state_dict()), strict=True)
    x = torch.rand(1, 3, 64, 64)
    last = trunk.features[: 12 if network.pnet_type == "alex" else 13]
    with torch.no_grad():
        assert torch.equal(network.net(x)[-1], last(x))


def test_trunk_weights_come_from_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    torchvision_guard()
    from torchvision import models

    from evalkit.weights.registry import entry

    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(WeightsMissing) as caught:
        Lpips({"trunk": "squeeze"}).weights_digest()
    assert caught.value.hint == "evalkit weights pull lpips-squeeze"
    state = models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, tmp_path / entry("lpips-squeeze").file)
    network = load_lpips("squeeze")
    assert torch.equal(network.net.slice1[0].weight, state["features.0.weight"])
    with pytest.raises(WeightsMissing, match="sha256"):
        Lpips({"trunk": "squeeze"}).weights_digest()


def test_long_side_is_reduced_and_never_enlarged(photo, centre_mask):
    both = Pair(photo, photo, centre_mask, 1.0)
    assert reduced(both, 512).image is photo
    small = reduced(both, 128)
    assert small.image.shape == small.source.shape == (96, 128, 3)
    assert small.outside.shape == (96, 128)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_little_of_an_edit_leaks_past_the_margin(alex, make_subject, photo, centre_mask, seed: int):
    """A network looks around, so what happens inside cannot be shut out entirely; 16 px keep it small."""
    rng = np.random.default_rng(seed)
    edited = photo.copy()
    edited[centre_mask] = rng.integers(0, 256, (int(centre_mask.sum()), 3))
    (values,) = Lpips(perceiver=lpips_perceiver(alex)).score([make_subject(edited, photo, centre_mask)])
    inside = values["lpips"].value / centre_mask.mean()
    assert values["lpips_out"].value < 0.05 * inside


def test_reasons(alex, make_subject, photo, noisy, centre_mask):
    everywhere = np.ones_like(centre_mask)
    frame = everywhere.copy()
    frame[:, :10] = False
    tiny = np.zeros((8, 8, 3), np.uint8)
    subjects = [
        make_subject(None, photo),
        make_subject(noisy),
        make_subject(noisy, photo),
        make_subject(noisy, photo, everywhere),
        make_subject(noisy, photo, frame),
        make_subject(noisy[:50], photo, centre_mask),
        make_subject(tiny, tiny),
    ]
    values = Lpips(perceiver=lpips_perceiver(alex)).score(subjects)
    assert [v["lpips"].reason for v in values] == [
        "decode_error", "no_source", None, None, None, "unaligned", "too_small"
    ]  # fmt: skip
    assert [v["lpips_out"].reason for v in values] == [
        "decode_error", "no_source", "no_mask", "no_outside", "thin_outside", "unaligned", "too_small"
    ]  # fmt: skip


class Counted:
    """A perceiver, and the batches its trunk was given."""

    def __init__(self, perceiver: Perceiver) -> None:
        self.batches: list[tuple[int, ...]] = []
        self.perceiver = replace(perceiver, trunk=self._trunk)
        self._real = perceiver.trunk

    def _trunk(self, x):
        self.batches.append(tuple(x.shape))
        return self._real(x)

    @property
    def pictures(self) -> int:
        return sum(batch[0] for batch in self.batches)


def test_the_source_is_seen_once(alex, make_subject, photo, noisy):
    counted = Counted(lpips_perceiver(alex))
    metric = Lpips(perceiver=counted.perceiver)
    metric.score([make_subject(image, photo) for image in (noisy, photo, noisy[::-1].copy())])
    metric.score([make_subject(noisy[::-1, ::-1].copy(), photo)])
    assert counted.pictures == 4  # three edits and their source; the fourth edit is the source itself


def test_pairs_of_one_size_go_through_together(alex, make_subject, photo, noisy):
    counted = Counted(lpips_perceiver(alex))
    metric = Lpips(perceiver=counted.perceiver)
    metric.resources = Resources(batch=4)
    small, flipped = photo[:96, :96], noisy[::-1].copy()
    pairs = [
        (noisy, photo),
        (noisy[:96, :96], small),
        (flipped, photo),
        (small, noisy[:96, :96]),
        (photo, noisy),
    ]
    subjects = [make_subject(image, source) for image, source in pairs]
    together = metric.score([*subjects, make_subject(None, photo)])
    assert {batch[1:] for batch in counted.batches} == {(3, 192, 256), (3, 96, 96)}
    assert len(counted.batches) == 4  # edits and sources of either size
    alone = [Lpips(perceiver=lpips_perceiver(alex)).score([subject])[0] for subject in subjects]
    for ours, expected in zip(together, alone, strict=False):
        assert ours["lpips"].value == pytest.approx(expected["lpips"].value, abs=1e-7)
    assert together[-1]["lpips"].reason == "decode_error"


def textured(height: int, width: int, seed: int = 3) -> np.ndarray:
    """Something with corners, so that a shift of it can be found."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


@pytest.fixture
def moved_pair(monkeypatch: pytest.MonkeyPatch):
    """What laying the edit over its source found out: it is the source, moved by 4 px to the right."""
    source = textured(128, 128)
    image = np.roll(source, 4, axis=1)
    there = np.ones((128, 128), np.bool_)
    there[:, -4:] = False

    class Moved(Pair):
        registered = source
        valid = there

    inside = np.zeros((128, 128), np.bool_)
    inside[:, :20] = True
    monkeypatch.setattr(lpips_module, "pair", lambda _: Moved(source, image, inside, 1.0))
    return Subject("moved", image, None, None, "source")


def test_a_picture_that_only_moved_is_not_different(alex, moved_pair):
    (values,) = Lpips(perceiver=lpips_perceiver(alex)).score([moved_pair])
    assert values["lpips_out"].value > 0.01
    assert values["lpips_out_registered"].value == 0


def test_only_where_the_registered_picture_has_pixels(alex, moved_pair, monkeypatch: pytest.MonkeyPatch):
    both = lpips_module.pair(None)
    laid = reduced(both, 512)
    assert np.array_equal(laid.outside, erode(~both.inside, MARGIN))
    assert np.array_equal(laid.outside_registered, erode(~both.inside & both.valid, MARGIN))
    assert laid.outside_registered.sum() < laid.outside.sum()


def test_without_a_better_place_there_is_no_second_pass(alex, make_subject, photo, noisy, centre_mask):
    counted = Counted(lpips_perceiver(alex))
    (values,) = Lpips(perceiver=counted.perceiver).score([make_subject(noisy, photo, centre_mask)])
    assert values["lpips_out_registered"] == values["lpips_out"]
    assert counted.pictures == 2


def test_several_threads_give_the_same_numbers(alex, make_subject, photo, noisy, centre_mask):
    edits = [noisy, noisy[::-1].copy(), np.clip(noisy.astype(int) + 9, 0, 255).astype(np.uint8), photo]
    subjects = [make_subject(image, photo, centre_mask) for image in edits]
    found = []
    for threads in (0, 4):
        metric = Lpips(perceiver=lpips_perceiver(alex))
        metric.resources = Resources(threads=threads, batch=2)
        found.append(metric.score(subjects))
    assert found[0] == found[1]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_is_close(alex, make_subject, photo, noisy, centre_mask, precision: str):
    subject = make_subject(noisy, photo, centre_mask)
    (exact,) = Lpips(perceiver=lpips_perceiver(alex)).score([subject])
    (low,) = Lpips({"precision": precision}, perceiver=lpips_perceiver(alex, precision)).score([subject])
    for name in ("lpips", "lpips_out"):
        assert low[name].value == pytest.approx(exact[name].value, abs=1e-2)
        assert low[name].value != exact[name].value


def test_the_device_reaches_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(perceivers, "load_lpips", lambda name, on: blank_lpips(name).to(on))
    low = Lpips({"trunk": "squeeze", "precision": "bf16"})
    low.resources = Resources(device="meta")
    assert (low._loaded().on, low._loaded().precision) == ("meta", "bf16")
    perceiver = replace(low._loaded(), precision="fp32")  # meta has no autocast
    assert perceiver.see([np.zeros((64, 64, 3), np.uint8)])[0].device.type == "meta"


@pytest.fixture
def untrained_mini(monkeypatch: pytest.MonkeyPatch) -> mini_model.LoadedMini:
    """The mini architecture with seeded random weights: what is tested here holds for any weights."""
    mini_model.register_mini()
    torch.manual_seed(2)
    create = mini_model.import_open_clip().create_model_and_transforms
    model, _, preprocess = create(mini_model.MINI_NAME, image_resize_mode="squash")
    loaded = mini_model.LoadedMini(model.eval(), preprocess, None)
    monkeypatch.setattr(perceivers, "load_mini", lambda *_: loaded)
    return loaded


@pytest.mark.usefixtures("untrained_mini")
def test_mini_is_a_distance(make_subject, photo, noisy, centre_mask):
    metric = Lpips({"trunk": "mini"})
    assert metric.caveat == mini_model.MINI_CAVEAT
    assert metric.weights_digest() == mini_model.mini_digest()
    worse = np.clip(noisy.astype(int) * 2 - photo, 0, 255).astype(np.uint8)
    same, near, far, back = metric.score(
        [
            make_subject(photo, photo, centre_mask),
            make_subject(noisy, photo, centre_mask),
            make_subject(worse, photo, centre_mask),
            make_subject(photo, noisy, centre_mask),
        ]
    )
    assert same["lpips"].value == same["lpips_out"].value == 0
    assert 0 < near["lpips"].value < far["lpips"].value <= 4
    assert 0 < near["lpips_out"].value < far["lpips_out"].value
    assert back["lpips"].value == pytest.approx(near["lpips"].value, rel=1e-5)


def test_mini_is_fed_as_it_was_trained(untrained_mini, photo):
    """The trunk gets the normalisation of the model's own preprocess."""
    seen = []
    untrained_mini.model.visual.conv1.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    with torch.no_grad():
        mini_perceiver().see([photo])
    normalise = untrained_mini.preprocess.transforms[-1]
    expected = normalise(torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255)
    assert torch.allclose(seen[0][0], expected, atol=1e-5)
