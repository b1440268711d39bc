from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from evalkit.metrics.base import RGB, Bits
from evalkit.metrics.overlay.colour import delta_e
from evalkit.metrics.overlay.similarity import PSNR_CAP, mse, psnr, ssim
from evalkit.metrics.pixels import Pixels, compare
from evalkit.studio import distort

pytestmark = pytest.mark.reference

OUTSIDE = ("psnr_out", "ssim_out", "de00_out", "de00_p95_out", "mse_out")


def everything(image: RGB) -> Bits:
    return np.ones(image.shape[:2], np.bool_)


def test_psnr_agrees_with_skimage(photo: RGB, noisy: RGB):
    ours = psnr(mse(photo, noisy, everything(photo)))
    assert ours == pytest.approx(peak_signal_noise_ratio(photo, noisy, data_range=255), abs=1e-9)


def test_ssim_agrees_with_skimage(photo: RGB, noisy: RGB):
    reference = structural_similarity(
        photo,
        noisy,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    assert ssim(photo, noisy, everything(photo)) == pytest.approx(reference, abs=1e-5)


def test_masked_numbers_are_those_of_the_cut_out_part(photo: RGB, noisy: RGB):
    """With the mask on the right half, the left half alone must give the same PSNR, SSIM and colour."""
    mask = np.zeros(photo.shape[:2], np.bool_)
    mask[:, 128:] = True
    values = {name: value.value for name, value in compare(photo, noisy, mask).items()}
    left, left_noisy = photo[:, :128], noisy[:, :128]
    assert values["psnr_out"] == pytest.approx(
        peak_signal_noise_ratio(left, left_noisy, data_range=255), abs=1e-9
    )
    assert values["ssim_out"] == pytest.approx(ssim(left, left_noisy, everything(left)), abs=1e-9)
    differences = delta_e(left.reshape(-1, 3), left_noisy.reshape(-1, 3))
    assert values["de00_out"] == pytest.approx(differences.mean(), abs=1e-5)
    assert values["de00_p95_out"] == pytest.approx(np.percentile(differences, 95), abs=1e-5)


def test_the_denominator_is_the_outside_alone():
    """One grey level everywhere is MSE 1 and 48.13 dB, whatever the mask covers."""
    source = np.full((50, 50, 3), 100, np.uint8)
    mask = np.zeros((50, 50), np.bool_)
    mask[:45] = True
    values = compare(source, source + np.uint8(1), mask)
    assert values["mse_out"].value == pytest.approx(1, abs=1e-12)
    assert values["psnr_out"].value == pytest.approx(48.1308, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nothing_inside_the_mask_matters(photo: RGB, noisy: RGB, seed: int):
    rng = np.random.default_rng(seed)
    mask = np.zeros(photo.shape[:2], np.bool_)
    top, left = rng.integers(0, 120), rng.integers(0, 180)
    mask[top : top + rng.integers(1, 90), left : left + rng.integers(1, 120)] = True
    edited = noisy.copy()
    edited[mask] = rng.integers(0, 256, (int(mask.sum()), 3))
    before, after = compare(photo, noisy, mask), compare(photo, edited, mask)
    assert {name: before[name] for name in OUTSIDE if name != "ssim_out"} == {
        name: after[name] for name in OUTSIDE if name != "ssim_out"
    }
    # the blur is computed over the whole picture, so the last bit may differ
    assert after["ssim_out"].value == pytest.approx(before["ssim_out"].value, abs=1e-12)


def test_a_change_outside_is_seen_by_every_number(photo: RGB, centre_mask: Bits):
    edited = photo.copy()
    edited[10:40, 10:40] //= 2
    values = {name: value.value for name, value in compare(photo, edited, centre_mask).items()}
    assert values["psnr_out"] < 40
    assert values["ssim_out"] < 0.999
    assert values["de00_out"] > 0.1
    assert values["mse_out"] > 0
    assert values["changed_in"] == 0


def test_an_untouched_outside_gets_the_cap_not_null(photo: RGB, centre_mask: Bits):
    edited = photo.copy()
    edited[centre_mask] = 255 - edited[centre_mask]
    values = {name: value.value for name, value in compare(photo, edited, centre_mask).items()}
    assert values["psnr_out"] == PSNR_CAP
    assert values["ssim_out"] == pytest.approx(1)
    assert values["de00_out"] == values["de00_p95_out"] == values["mse_out"] == 0
    assert values["changed_in"] > 10


def test_the_cap_keeps_order():
    source = np.zeros((1000, 1000, 3), np.uint8)
    image = source.copy()
    image[0, 0, 0] = 1
    assert psnr(mse(source, image, everything(source))) == PSNR_CAP


def test_scores_and_reasons(make_subject, photo: RGB, noisy: RGB, centre_mask: Bits):
    metric = Pixels()
    full = np.ones_like(centre_mask)
    subjects = [
        make_subject(noisy, photo, centre_mask),
        make_subject(noisy, photo, None),
        make_subject(noisy, photo, full),
        make_subject(noisy, photo, ~full),
        make_subject(255 - noisy[:100], photo, centre_mask),
        make_subject(noisy, None, None),
        make_subject(None, photo, centre_mask),
    ]
    good, maskless, all_edit, no_edit, other, sourceless, broken = metric.score(subjects)
    assert all(value.value is not None for value in good.values())
    masked = {output.name for output in metric.outputs if "mask" in output.needs}
    assert {maskless[name].reason for name in masked} == {"no_mask"}
    assert all(maskless[name].value is not None for name in set(maskless) - masked)
    assert {all_edit[name].reason for name in OUTSIDE} == {"no_outside"}
    assert all_edit["changed_in"].value > 0
    assert no_edit["changed_in"].reason == "no_inside"
    assert no_edit["psnr_out"].value > 20
    assert {other[name].reason for name in OUTSIDE} == {"unaligned"}
    assert other["size_ratio"].value == pytest.approx(100 / 192)
    assert {value.reason for value in sourceless.values()} == {"no_source"}
    assert {value.reason for value in broken.values()} == {"decode_error"}


def test_a_frame_too_thin_for_a_window_has_no_ssim(photo: RGB, noisy: RGB):
    mask = np.ones(photo.shape[:2], np.bool_)
    mask[:, :4] = False
    values = compare(photo, noisy, mask)
    assert values["ssim_out"].reason == "thin_outside"
    assert values["psnr_out"].value is not None


def test_a_larger_delivery_is_compared_on_the_sources_grid(make_subject, photo: RGB, centre_mask: Bits):
    from PIL import Image

    large = np.asarray(Image.fromarray(photo).resize((512, 384), Image.Resampling.LANCZOS))
    (values,) = Pixels().score([make_subject(large, photo, centre_mask)])
    assert values["size_ratio"].value == 4
    assert values["psnr_out"].value > 35


def test_cost_of_a_megapixel_pair():
    """Budget 0.6 CPU-s; asserted loosely, because the machine that runs this may be busy."""
    rng = np.random.default_rng(1)
    source = rng.integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    image = np.clip(source.astype(np.int16) + rng.integers(-9, 10, source.shape), 0, 255).astype(np.uint8)
    mask = np.zeros((1024, 1024), np.bool_)
    mask[300:600, 300:600] = True
    started = time.process_time()
    compare(source, image, mask)
    assert time.process_time() - started < 1.5


def test_pie_bench_adds_what_the_mask_covers(photo: RGB, noisy: RGB, centre_mask: Bits):
    """Blanked inside the mask and divided by all pixels: 10 log10(1 / (1 - area)) dB more than there is."""
    values = compare(photo, noisy, centre_mask)
    blank, other = photo.copy(), noisy.copy()
    blank[centre_mask], other[centre_mask] = 0, 0
    assert values["psnr_out_pie"].value == pytest.approx(peak_signal_noise_ratio(blank, other), abs=1e-9)
    extra = values["psnr_out_pie"].value - values["psnr_out"].value
    assert extra == pytest.approx(-10 * np.log10(1 - centre_mask.mean()), abs=1e-9)


def test_whole_picture_differences_are_those_of_numpy(photo: RGB, noisy: RGB):
    values = compare(photo, noisy)
    difference = (photo.astype(float) - noisy) / 255
    assert values["l1"].value == pytest.approx(np.abs(difference).mean(), abs=1e-9)
    assert values["l2"].value == pytest.approx((difference**2).mean(), abs=1e-9)


def test_a_shift_ruins_the_raw_numbers_and_not_the_registered_ones(photo: RGB, centre_mask: Bits):
    moved = distort.moved(photo, 3.4, -2.2)
    values = {name: value.value for name, value in compare(photo, moved, centre_mask).items()}
    assert values["psnr_out"] < 26 < 38 < values["psnr_out_registered"]
    assert values["ssim_out"] < 0.75 < 0.98 < values["ssim_out_registered"]
    assert values["de00_out_registered"] < 0.7 < values["de00_out"]
    way = np.hypot(3.4, 2.2)
    assert values["displacement"] == pytest.approx(100 * way / np.hypot(192, 256), abs=0.02)
    assert values["noop"] == 1


def test_an_edit_in_place_is_not_moved(photo: RGB, centre_mask: Bits):
    edited = np.where(centre_mask[..., None], 255 - photo, photo)
    values = {name: value.value for name, value in compare(photo, edited, centre_mask).items()}
    assert values["displacement"] == 0
    assert values["psnr_out_registered"] == values["psnr_out"] == PSNR_CAP
    assert values["spill"] == values["tone_drift"] == 0
    assert values["sharpness_ratio"] == pytest.approx(1)
    assert values["changed_fraction"] == pytest.approx(centre_mask.mean(), rel=0.2)
    assert values["noop"] == 0
    assert values["psnr_auto"] == PSNR_CAP


def test_what_spills_is_measured(photo: RGB, centre_mask: Bits):
    edited = np.where(centre_mask[..., None], 255 - photo, photo)
    edited[:, 200:] = 255 - edited[:, 200:]
    value = compare(photo, edited, centre_mask)["spill"].value
    assert value == pytest.approx(192 * 56 / (192 * 256 - centre_mask.sum()), rel=0.15)


def test_a_tint_is_drift_and_says_which_way(photo: RGB, centre_mask: Bits):
    values = compare(photo, distort.toned(photo, (1.0, 1.0, 1.0), (0.0, 0.0, 12.0)), centre_mask)
    assert values["tone_drift"].value > 3
    assert "Δb* -" in values["tone_drift"].detail
    gains = values["tone_drift"].detail.rpartition("channel ")[2].split(", ")
    assert [float(gain) for gain in gains] == pytest.approx([1, 1, 1], abs=0.02)


def test_blur_shows_in_the_sharpness_alone_ratio(photo: RGB, centre_mask: Bits):
    sharp = compare(photo, distort.blurred(photo, 1.5), centre_mask)["sharpness_ratio"].value
    assert 0 < sharp < 0.4


def test_more_than_was_expected_is_flagged(make_subject, photo: RGB, centre_mask: Bits):
    edited = np.where(centre_mask[..., None], 255 - photo, photo)
    share = float(centre_mask.mean())
    checks = [({"kind": "expected_area", "share": factor * share},) for factor in (0.3, 1.0)]
    over, fine = Pixels().score([make_subject(edited, photo, centre_mask, checks=one) for one in checks])
    assert over["changed_fraction"].flag == "overreach"
    assert fine["changed_fraction"].flag is None
    assert over["changed_fraction"].value == fine["changed_fraction"].value
