from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from evalkit.metrics.base import RGB, Bits
from evalkit.metrics.colour import delta_e
from evalkit.metrics.pixels import PSNR_CAP, Pixels, compare, mse, psnr, ssim

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
    assert values["mse_out"].value == 1
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
        make_subject(noisy[:100], photo, centre_mask),
        make_subject(noisy, None, None),
        make_subject(None, photo, centre_mask),
    ]
    good, maskless, all_edit, no_edit, cropped, sourceless, broken = metric.score(subjects)
    assert all(value.value is not None for value in good.values())
    assert {value.reason for name, value in maskless.items() if name != "size_ratio"} == {"no_mask"}
    assert {all_edit[name].reason for name in OUTSIDE} == {"no_outside"}
    assert all_edit["changed_in"].value > 0
    assert no_edit["changed_in"].reason == "no_inside"
    assert no_edit["psnr_out"].value > 20
    assert {cropped[name].reason for name in OUTSIDE} == {"unaligned"}
    assert cropped["size_ratio"].value == pytest.approx(100 / 192)
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
