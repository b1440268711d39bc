"""The same numbers as torchmetrics, jiwer and scikit-image, without downloaded weights."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from evalkit.metrics.networks.perceivers import blank_lpips, lpips_perceiver, to_tensor
from evalkit.metrics.pixels import Pixels
from evalkit.metrics.reading.text import error_rate
from evalkit.weights.torchguard import torchvision_guard

torchvision_guard()

from torchmetrics.functional.image.lpips import _LPIPS  # noqa: E402 - importable only behind the guard
from torchmetrics.image import PeakSignalNoiseRatio  # noqa: E402

pytestmark = pytest.mark.reference

TEXT = st.text("abcdefgh éß", min_size=1, max_size=30)


@pytest.mark.parametrize("trunk", ["alex", "vgg"])
def test_lpips_equals_torchmetrics_on_one_random_trunk(trunk: str, photo, noisy) -> None:
    torch.manual_seed(3)
    ours = blank_lpips(trunk)
    theirs = _LPIPS(net=trunk, pnet_rand=True).eval()
    theirs.net.load_state_dict(ours.net.state_dict())
    perceiver = lpips_perceiver(ours)
    first, second = photo[:160, :160], noisy[:160, :160]
    layers = perceiver.differences(perceiver.see([first]), perceiver.see([second]))
    with torch.no_grad():
        expected = theirs(to_tensor([first]), to_tensor([second])).item()
    assert sum(layer.mean() for layer in layers).item() == pytest.approx(expected, abs=1e-6)
    assert expected > 0.001


def test_psnr_and_ssim_equal_scikit_image_and_torchmetrics(make_subject, photo, noisy) -> None:
    nothing = np.zeros(photo.shape[:2], dtype=bool)
    nothing[0, 0] = True
    (values,) = Pixels().score([make_subject(noisy, photo, nothing)])
    one, other = (torch.from_numpy(picture.astype(np.float64)) for picture in (noisy, photo))
    psnr = values["psnr_out"].value
    assert psnr == pytest.approx(PeakSignalNoiseRatio(data_range=255.0)(one, other).item(), abs=1e-3)
    assert psnr == pytest.approx(peak_signal_noise_ratio(photo, noisy, data_range=255), abs=1e-3)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity = structural_similarity(photo, noisy, data_range=255, channel_axis=2, **wang)
    assert values["ssim_out"].value == pytest.approx(similarity, abs=1e-3)


@given(expected=TEXT, read=st.text("abcdefgh éß", max_size=30))
def test_character_error_rate_equals_jiwer(expected: str, read: str) -> None:
    if expected.strip():
        assert error_rate(expected, read) == pytest.approx(_jiwer(expected, read), abs=1e-12)


def _jiwer(expected: str, read: str) -> float:
    same = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
    return jiwer.cer(expected, read, reference_transform=same, hypothesis_transform=same)
