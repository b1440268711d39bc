"""What a score costs: CPU seconds per picture, one thread, CLIP and LPIPS beside the bare model loop.

    python benchmarks/metrics.py [--pictures 16]

Pictures are photographs that scikit-image brings, edited; models have seeded random weights of the real
architecture, because the time does not depend on the weights. Decoding is part of both sides.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from PIL import Image

from evalkit.images import decode
from evalkit.metrics.base import RGB, Bits, Metric, Subject
from evalkit.metrics.clip import Clip, Encoder, load_open_clip
from evalkit.metrics.lpips import Lpips, blank_lpips, lpips_perceiver
from evalkit.metrics.ocr import Ocr
from evalkit.metrics.pixels import Pixels
from evalkit.suite import load_suite, resolve_source
from evalkit.types import Case

CASE = Case("c", "a cup of coffee on a table", expected_text=("OPEN LATE", "Tuesday 10-18"))


def photographs(count: int, side: int) -> list[bytes]:
    """`count` different PNG pictures of `side` x `side` pixels."""
    suite = load_suite("edit-preservation")
    source = resolve_source(suite, suite.cases[0])
    assert source is not None
    photo = Image.open(io.BytesIO(source.data)).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    pixels = np.asarray(photo)
    rng = np.random.default_rng(0)
    noisy = (pixels + rng.normal(0, 2 + n, pixels.shape) for n in range(count))
    return [_png(np.clip(picture, 0, 255).astype(np.uint8)) for picture in noisy]


def _png(pixels: RGB) -> bytes:
    for row, line in enumerate(CASE.expected_text):
        cv2.putText(pixels, line, (60, 120 + 90 * row), cv2.FONT_HERSHEY_DUPLEX, 2.0, (255, 255, 255), 4)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def subjects(pictures: Sequence[bytes]) -> list[Subject]:
    """Edits of the first picture, with a mask over its middle."""
    source = decode(pictures[0])
    mask: Bits = np.zeros(source.shape[:2], dtype=bool)
    mask[source.shape[0] // 3 : source.shape[0] * 2 // 3] = True
    return [
        Subject(str(n), decode(data), None, CASE, "s", "m", lambda: source, lambda: mask)
        for n, data in enumerate(pictures)
    ]


def per_picture(work: Callable[[], object], pictures: int) -> float:
    """CPU seconds of this process per picture; the better of two, so that loading does not count."""
    times = []
    for _ in range(2):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) / pictures


def scored(make: Callable[[], Metric], pictures: Sequence[bytes]) -> float:
    """A fresh metric each time, as its embeddings would be remembered; the model is shared."""
    return per_picture(lambda: make().score(subjects(pictures)), len(pictures))


def bare_clip(encoder: Encoder, pictures: Sequence[bytes]) -> Callable[[], object]:
    """open_clip in a plain loop of batches of eight."""
    model, preprocess, tokens = encoder.model, encoder.preprocess, encoder.tokenizer([CASE.prompt])

    def loop() -> None:
        with torch.inference_mode():
            model.encode_text(tokens)
            for start in range(0, len(pictures), 8):
                batch = (Image.open(io.BytesIO(p)).convert("RGB") for p in pictures[start : start + 8])
                model.encode_image(torch.stack([preprocess(picture) for picture in batch]))

    return loop


def bare_lpips(network: torch.nn.Module, pictures: Sequence[bytes]) -> Callable[[], object]:
    """The lpips package in a plain loop, pictures reduced to 512 pixels as the metric does."""

    def tensor(data: bytes) -> torch.Tensor:
        small = Image.open(io.BytesIO(data)).convert("RGB").resize((512, 512), Image.Resampling.LANCZOS)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 127.5 - 1

    def loop() -> None:
        with torch.inference_mode():
            for data in pictures:
                network(tensor(pictures[0]), tensor(data))

    return loop


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU seconds per picture of every metric")
    parser.add_argument("--pictures", type=int, default=16)
    count = parser.parse_args().pictures
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    print(f"{'metric':<24}{'size':>6}{'CPU-s':>9}{'bare loop':>11}{'ratio':>8}")
    for side in (768, 1024):
        pictures = photographs(count, side)
        print(f"{'pixels':<24}{side:>6}{scored(Pixels, pictures):>9.3f}")
        print(f"{'ocr':<24}{side:>6}{scored(Ocr, pictures):>9.3f}")
    pictures = photographs(count, 768)
    encoder = load_open_clip("ViT-B-32", None)
    ours, bare = (
        scored(lambda: Clip(encoder=encoder), pictures),
        per_picture(bare_clip(encoder, pictures), count),
    )
    print(f"{'clip ViT-B-32':<24}{768:>6}{ours:>9.3f}{bare:>11.3f}{bare / ours:>8.2f}")
    network = blank_lpips("alex")
    ours = scored(lambda: Lpips(perceiver=lpips_perceiver(network)), pictures)
    bare = per_picture(bare_lpips(network, pictures), count)
    print(f"{'lpips alex':<24}{768:>6}{ours:>9.3f}{bare:>11.3f}{bare / ours:>8.2f}")


if __name__ == "__main__":
    main()
