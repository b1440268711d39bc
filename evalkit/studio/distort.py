"""Known faults of finished pictures, of a chosen strength: what a provider may do to an edit on its way.

Each takes an H x W x 3 uint8 picture and returns another; the same arguments give the same picture. They
serve to find out which fault a metric notices, and from which strength on. It knows pixels, not scenes.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

RGB = NDArray[np.uint8]
Bits = NDArray[np.bool_]


def moved(image: RGB, right: float = 0.0, down: float = 0.0, zoom: float = 1.0) -> RGB:
    """Shifted by parts of a pixel and zoomed about the middle; edges repeat. Lanczos."""
    import cv2

    height, width = image.shape[:2]
    x, y = (width - 1) / 2, (height - 1) / 2
    matrix = np.array([[zoom, 0, (1 - zoom) * x + right], [0, zoom, (1 - zoom) * y + down]])
    flags = cv2.INTER_LANCZOS4 if zoom >= 1 else cv2.INTER_CUBIC
    drawn = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.uint8)


def resized(image: RGB, width: int, height: int) -> RGB:
    """To another size, squeezed if the shape differs. Antialiased Lanczos."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def cropped(image: RGB, left: float, top: float, right: float, bottom: float) -> RGB:
    """Without these shares of its width and height along the edges."""
    height, width = image.shape[:2]
    rows = slice(round(top * height), height - round(bottom * height))
    return np.ascontiguousarray(image[rows, round(left * width) : width - round(right * width)])


def padded(image: RGB, across: int, down: int, grey: int = 0) -> RGB:
    """With plain bars of so many pixels at the left and right, and above and below."""
    edges = ((down, down), (across, across), (0, 0))
    return np.asarray(np.pad(image, edges, constant_values=grey), dtype=np.uint8)


def blurred(image: RGB, sigma: float) -> RGB:
    """Gaussian, `sigma` in pixels."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def compressed(image: RGB, quality: int, kind: str = "JPEG") -> RGB:
    """Through a lossy file (JPEG or WEBP) and back; 4:2:0 as most encoders do."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def toned(image: RGB, gain: tuple[float, float, float], offset: tuple[float, float, float]) -> RGB:
    """Each channel times `gain` plus `offset` (0-255): a colour cast, a change of exposure."""
    values = image.astype(np.float32) * np.array(gain, np.float32) + np.array(offset, np.float32)
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def noisy(image: RGB, sigma: float, seed: int = 0) -> RGB:
    """Gaussian noise of `sigma` grey levels, independent per pixel and channel."""
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def mixed(image: RGB, other: RGB, share: float, where: Bits | None = None) -> RGB:
    """`other` laid over the picture with `share` of its strength, in `where` or everywhere."""
    both = image.astype(np.float32) * (1 - share) + other.astype(np.float32) * share
    blend = np.clip(np.rint(both), 0, 255).astype(np.uint8)
    return blend if where is None else np.where(where[..., None], blend, image)


def repainted(image: RGB, strength: float, seed: int = 0) -> RGB:
    """As if drawn again from memory: the same scene, its details displaced and redrawn everywhere.

    Every place moves by its own way (smooth over a sixteenth of the picture, root mean square `strength` per
    cent of the long side), fine texture is replaced, brightness drifts.
    """
    import cv2

    height, width = image.shape[:2]
    luck = np.random.default_rng(seed)
    size, sigma = (width, height), max(height, width) / 32
    way = [cv2.resize(luck.normal(0, 1, (24, 24)), size, interpolation=cv2.INTER_CUBIC) for _ in range(2)]
    step = strength / 100 * max(height, width) / np.sqrt(2)
    x = (np.arange(width)[None] + step * way[0]).astype(np.float32)
    y = (np.arange(height)[:, None] + step * way[1]).astype(np.float32)
    drawn = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    smooth = cv2.bilateralFilter(np.asarray(drawn), 9, 30, 7)
    light = cv2.GaussianBlur(luck.normal(0, 1, (height // 4 + 1, width // 4 + 1)), (0, 0), sigma / 4)
    drift = cv2.resize(light / max(1e-6, float(light.std())), size)[..., None] * 4 * strength
    grain = luck.normal(0, 2.5, image.shape)
    return np.asarray(np.clip(np.rint(smooth + drift + grain), 0, 255), dtype=np.uint8)
