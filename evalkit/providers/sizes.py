"""Width and height for models on one's own machine, which take any."""

from __future__ import annotations

import math

from evalkit.errors import UsageError

STEP = 16
"""Latent models want multiples of 8; the ones with patches of two latents, of 16."""
SIZES = (64, 4096)


def pixels(aspect_ratio: str, size: int) -> tuple[int, int]:
    """Width and height of the ratio with the area of a `size` x `size` square, in multiples of 16.

    >>> pixels("16:9", 1024)
    (1360, 768)
    """
    across, down = (int(part) for part in aspect_ratio.split(":"))
    width = size * math.sqrt(across / down)
    height = size * math.sqrt(down / across)
    return max(STEP, round(width / STEP) * STEP), max(STEP, round(height / STEP) * STEP)


def whole(name: str, text: str, low: int, high: int) -> int:
    """A parameter that is a whole number from `low` to `high`. Raises `UsageError`."""
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise UsageError(f"{name}={text} is not a whole number from {low} to {high}", f"Write {name}={low}.")
    return int(text)
