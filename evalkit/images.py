"""Reading pictures by one set of rules, whoever asks.

Orientation is applied, an embedded colour profile is converted to sRGB, transparency is laid over white,
and the result is 8-bit RGB. Nothing is ever re-encoded here. Pictures that cannot be read give an
`ImageProblem` with a short reason; a decompression bomb is refused before it is decoded.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from evalkit.errors import InvalidInput

MAX_PIXELS = 64_000_000
"""Pictures above this are refused (`too_large`): 8000 x 8000, several times what any model delivers."""


class ImageProblem(InvalidInput):
    """A picture that cannot be judged; `reason` is what a score's NULL will say."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of a picture say, without decoding it. Size is after orientation."""

    width: int
    height: int
    format: str


def read_header(data: bytes) -> Header:
    """Format and oriented size of an encoded picture. Raises `ImageProblem`."""
    with _open(data) as image:
        return _header(image)


def check(data: bytes) -> Header:
    """Like `read_header`, but every pixel has been read: the picture is whole. Raises `ImageProblem`."""
    with _open(data) as image:
        _load(image)
        return _header(image)


def decode(data: bytes) -> NDArray[np.uint8]:
    """An encoded picture as H x W x 3 uint8 sRGB. Raises `ImageProblem`."""
    return np.asarray(to_pil(data))


def to_pil(data: bytes) -> Image.Image:
    """An encoded picture as a Pillow image of mode RGB, by the rules above. Raises `ImageProblem`."""
    with _open(data) as image:
        _load(image)
        upright = ImageOps.exif_transpose(image)
        return _flatten(_to_srgb(_to_8bit(upright)))


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:  # decoders raise all sorts of errors on bytes made to break them
        raise ImageProblem("decode_error", f"the picture is broken: {error}") from error


def _header(image: Image.Image) -> Header:
    width, height = image.size
    if _is_sideways(image):
        width, height = height, width
    return Header(width, height, str(image.format).lower())


def _is_sideways(image: Image.Image) -> bool:
    """Whether the EXIF orientation swaps width and height; a broken EXIF block says nothing."""
    orientation = Image.Exif()
    try:
        orientation.load(image.info.get("exif", b""))
        return orientation.get(0x0112, 1) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError, struct.error):
        return False


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ImageProblem("decode_error", "the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ImageProblem("decode_error", "the file is not a picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise ImageProblem(
            "too_large", f"the picture is huge; at most {MAX_PIXELS:,} pixels are read"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageProblem("decode_error", f"the picture cannot be opened: {error}") from error
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ImageProblem("too_large", f"the picture has {size} pixels; at most {MAX_PIXELS:,} are read")
    return image


def _to_8bit(image: Image.Image) -> Image.Image:
    """16-bit pictures by their full scale; those of 32 bits or floats, which have none, by their maximum."""
    if image.mode not in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        return image
    values = np.asarray(image, dtype=np.float64)
    top = 65535.0 if image.mode.startswith("I;16") else float(values.max(initial=0.0))
    scaled = values * (255.0 / top) if top > 0 else values
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        mode = image.mode if image.mode in ("RGB", "RGBA") else "RGB"
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=mode,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted if converted is not None else image


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in ("RGBA", "LA", "PA"):
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB")
