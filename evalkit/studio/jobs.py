"""One picture's worth of drawing, as a picklable job: what the studio's worker processes run.

A job knows scenes, sizes and faults of the finished picture (blur, displacement). It does not know
providers or requests.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from evalkit.studio.drawing import draw
from evalkit.studio.picture import Drawn, encode
from evalkit.studio.scene import Scene


@dataclass(frozen=True, slots=True)
class Finish:
    """What happens to the finished picture; `shift` and `blur` are in 768ths of its long side."""

    blur: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Fresh:
    """Draw a scene on an empty canvas of `width` x `height` pixels."""

    scene: Scene
    seed: int
    width: int
    height: int
    finish: Finish = Finish()


@dataclass(frozen=True, slots=True)
class Retouch:
    """Change `before` (shown by the encoded `source`) into `after`, within `mask` if there is one.

    `seed` is the source's, or another one to redraw everything: then the mask is ignored.
    """

    source: bytes
    mask: bytes | None
    before: Drawn
    after: Scene
    seed: int
    finish: Finish = Finish()


Job = Fresh | Retouch


def work(job: Job) -> bytes:
    """The job's picture as PNG bytes, with its scene inside."""
    match job:
        case Fresh():
            image = draw(job.scene, job.width, job.height, job.seed)
            return encode(_finished(image, job.finish), Drawn(job.scene, job.seed))
        case Retouch():
            return encode(_finished(_retouched(job), job.finish), Drawn(job.after, job.seed))


def _retouched(job: Retouch) -> Image.Image:
    with Image.open(io.BytesIO(job.source)) as file:
        source = file.convert("RGB")
    drawn = draw(job.after, *source.size, job.seed)
    if job.seed != job.before.seed:
        return drawn
    return Image.composite(drawn, source, _region(job, drawn))


def _region(job: Retouch, drawn: Image.Image) -> Image.Image:
    """255 where the drawing replaces the source: in the mask, or wherever the edit makes a difference."""
    if job.mask is not None:
        with Image.open(io.BytesIO(job.mask)) as file:
            mask = file.convert("L").resize(drawn.size, Image.Resampling.NEAREST)
        return mask.point([255 * (value > 127) for value in range(256)])
    before = draw(job.before.scene, *drawn.size, job.seed)
    different = np.asarray(ImageChops.difference(before, drawn)).any(axis=2)
    return Image.fromarray(different.astype(np.uint8) * 255)


def _finished(image: Image.Image, finish: Finish) -> Image.Image:
    scale = max(image.size) / 768
    if finish.blur:
        image = image.filter(ImageFilter.GaussianBlur(finish.blur * scale))
    across, down = (round(step * scale) for step in finish.shift)
    return _displaced(image, across, down) if across or down else image


def _displaced(image: Image.Image, across: int, down: int) -> Image.Image:
    """The picture moved right and down; the edge it leaves behind is filled with its outermost pixels."""
    pixels = np.asarray(image)
    rows = np.clip(np.arange(image.height) - down, 0, image.height - 1)
    columns = np.clip(np.arange(image.width) - across, 0, image.width - 1)
    return Image.fromarray(pixels[rows][:, columns])
