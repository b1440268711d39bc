"""How different two pictures look: LPIPS v0.1 of the edit against its source, whole and outside the mask.

The metric lays pictures over each other and averages maps; what sees is in
`evalkit.metrics.networks.perceivers`. The registered numbers compare the edit after it was laid exactly over
its source, so a picture that only moved is not called different.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import UnknownName, UsageError
from evalkit.images import ImageProblem
from evalkit.metrics.base import RGB, Bits, Metric, Need, Output, Subject
from evalkit.metrics.networks.perceivers import (
    TRUNKS,
    Perceiver,
    distance_map,
    joined,
    load,
    split,
    trunk_digest,
)
from evalkit.metrics.networks.pipeline import ahead
from evalkit.metrics.networks.torchrun import checked_precision
from evalkit.metrics.overlay.geometry import resize, resize_mask
from evalkit.metrics.overlay.pairs import BENCH, Pair, Unusable, erode, pair
from evalkit.types import Json, Value
from evalkit.weights.mini_model import MINI_CAVEAT

MARGIN = 16
"""Pixels around the mask that are left out: a network sees beyond the point it is asked about."""

_SMALLEST = 32
_SOURCE: frozenset[Need] = frozenset({"source"})
_MASKED: frozenset[Need] = frozenset({"source", "mask"})
Placed = tuple[int, Mapping[str, Value]]
"""The position of a subject, and what it scored."""

_laying = threading.Lock()
"""Pairs are laid by one thread at a time, as the metrics of a bench share the latest ones."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A pair at the size at which it is compared (H x W x 3 uint8), and where (H x W).

    `registered` is `image` itself where registration did not help. `outside` and `outside_registered` are the
    pixels whose distance counts, or the reason why there are none. `source_key` names the source's content.
    """

    source: RGB
    image: RGB
    registered: RGB
    outside: Bits | str
    outside_registered: Bits | str
    source_key: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.image.shape

    @property
    def moved(self) -> bool:
        return self.registered is not self.image


class Lpips(Metric):
    """LPIPS distance, 0 for identical pictures; lower is closer.

    Options: `trunk` is alex, squeeze, vgg or mini; `long_side` is what the longer side is reduced to;
    `precision` is fp32, bf16 or fp16. `perceiver` puts a ready network in place of a named one.
    """

    name = "lpips"
    version = "2"
    summary = "Perceptual distance to the source"
    defaults = {"trunk": "alex", "long_side": "512", "precision": "fp32"}
    outputs = (
        Output("lpips", "Perceptual distance, whole picture", "lower", "", 0, None, _SOURCE),
        Output(
            "lpips_out", "Perceptual distance outside the mask", "lower", "", 0, None, _MASKED, headline=True
        ),
        Output(
            "lpips_out_registered",
            "Perceptual distance outside the mask, registered",
            "lower",
            "",
            0,
            None,
            _MASKED,
        ),
    )
    bench = BENCH
    has_model = True

    def __init__(
        self, options: Mapping[str, str] | None = None, *, perceiver: Perceiver | None = None
    ) -> None:
        super().__init__(options)
        if self.options["trunk"] not in TRUNKS:
            raise UnknownName("trunk of lpips", self.options["trunk"], TRUNKS)
        checked_precision(self.options["precision"])
        self._long_side = _pixels(self.options["long_side"])
        self.options["long_side"] = str(self._long_side)
        self._perceiver = perceiver
        self._sources: OrderedDict[str, list[Any]] = OrderedDict()

    @property
    def config(self) -> Mapping[str, Json]:
        """Trunk, size and precision, and the margin around the mask."""
        return {**self.options, "margin": MARGIN}

    @property
    def caveat(self) -> str:
        """What the mini trunk is good for; nothing to add for the others."""
        return MINI_CAVEAT if self.options["trunk"] == "mini" else ""

    def weights_digest(self) -> str | None:
        """sha256 over trunk and heads. Raises `WeightsMissing`."""
        return trunk_digest(self.options["trunk"])

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        size = max(1, self.resources.batch // self._loaded().appetite)
        values: list[Mapping[str, Value]] = [{}] * len(subjects)
        for batch in _batches(ahead(self._lay, subjects, self.resources.threads, 2 * size), size):
            for number, found in self._values_of(batch):
                values[number] = found
        return values

    def _values_of(self, batch: Sequence[tuple[int, Laid | str]]) -> Iterator[Placed]:
        """Positions and values; pairs of a batch are of one size."""
        yield from ((n, self.missing(reason)) for n, reason in batch if isinstance(reason, str))
        laid = [(n, one) for n, one in batch if isinstance(one, Laid)]
        if laid:
            found = self._values([one for _, one in laid])
            yield from zip([n for n, _ in laid], found, strict=True)

    def _lay(self, subject: Subject) -> Laid | str:
        """The subject's pair, ready to be compared, or why it cannot be; runs ahead of the network."""
        if self.resources.threads > 1:
            _decode(subject)
        with _laying:
            both = pair(subject)
        if isinstance(both, Unusable):
            return both.reason
        laid = reduced(both, self._long_side)
        return laid if min(laid.shape[:2]) >= _SMALLEST else "too_small"

    def _values(self, batch: Sequence[Laid]) -> list[Mapping[str, Value]]:
        """For pairs of one size. Registered pictures go through the network only where they differ."""
        moved = [laid for laid in batch if laid.moved]
        distances = self._distances(
            [(laid, laid.image) for laid in batch] + [(laid, laid.registered) for laid in moved]
        )
        registered = dict(zip(map(id, moved), distances[len(batch) :], strict=True))
        return [
            {
                "lpips": Value(plain.whole),
                "lpips_out": plain.over(laid.outside),
                "lpips_out_registered": registered.get(id(laid), plain).over(laid.outside_registered),
            }
            for laid, plain in zip(batch, distances[: len(batch)], strict=True)
        ]

    def _distances(self, pairs: Sequence[tuple[Laid, RGB]]) -> list[_Distance]:
        """Of every picture to its source; to itself it is 0, whatever rounding would make of it."""
        other = [not np.array_equal(laid.source, picture) for laid, picture in pairs]
        found = iter(self._between(list(compress(pairs, other))))
        nothing = _Distance(0.0, np.zeros(pairs[0][0].shape[:2], np.float32))
        return [next(found) if differs else nothing for differs in other]

    def _between(self, pairs: Sequence[tuple[Laid, RGB]]) -> list[_Distance]:
        if not pairs:
            return []
        perceiver = self._loaded()
        seen = perceiver.see([picture for _, picture in pairs])
        sources = self._source_layers([laid for laid, _ in pairs])
        layers = perceiver.differences(sources, seen)
        wanted = any(not isinstance(laid.outside, str) for laid, _ in pairs)
        maps = distance_map(layers, *pairs[0][0].shape[:2]).cpu().numpy() if wanted else None
        wholes = sum(layer.mean(dim=(1, 2, 3)) for layer in layers).tolist()
        return [_Distance(whole, None if maps is None else maps[n]) for n, whole in enumerate(wholes)]

    def _source_layers(self, batch: Sequence[Laid]) -> list[Any]:
        """What the network sees in each source; the two latest are kept, as systems edit the same one."""
        perceiver, kept = self._loaded(), self._sources
        new = {laid.source_key: laid.source for laid in batch if laid.source_key not in kept}
        if new:
            kept.update(zip(new, split(perceiver.see(list(new.values()))), strict=True))
        keys = [laid.source_key for laid in batch]
        layers = joined([kept[key] for key in keys])
        for key in keys:
            kept.move_to_end(key)
        while len(kept) > 2:
            kept.popitem(last=False)
        return layers

    def _loaded(self) -> Perceiver:
        if self._perceiver is None:
            self._perceiver = load(self.options["trunk"], self.options["precision"], self.resources.device)
        return self._perceiver


@dataclass(frozen=True, slots=True)
class _Distance:
    """Of one pair: its mean, and the map it is the mean of (H x W), where one was asked for."""

    whole: float
    map: NDArray[np.float32] | None

    def over(self, region: Bits | str) -> Value:
        """The mean over a region, or the reason why there is none."""
        if isinstance(region, str) or self.map is None:
            return Value(None, region if isinstance(region, str) else "no_mask")
        return Value(float(self.map[region].mean(dtype="float64")))


def _decode(subject: Subject) -> None:
    """What several threads can do at once, before one of them has its turn."""
    with contextlib.suppress(ImageProblem):
        _ = subject.image, subject.load_source()


def reduced(both: Pair, long_side: int) -> Laid:
    """The pair with its longer side at most `long_side` px, shape kept; never enlarged."""
    height, width = both.image.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    grid = (max(1, round(height * scale)), max(1, round(width * scale)))
    source, image = resize(both.source, grid), resize(both.image, grid)
    outside = _outside(both.inside, None, grid)
    if both.registered is both.image:
        return Laid(source, image, image, outside, outside, _key(source))
    registered = resize(both.registered, grid)
    return Laid(source, image, registered, outside, _outside(both.inside, both.valid, grid), _key(source))


def _outside(inside: Bits | None, valid: Bits | None, grid: tuple[int, int]) -> Bits | str:
    """Far enough outside the edit region and within what is `valid`, on `grid`; or why that is nowhere."""
    if inside is None:
        return "no_mask"
    outside = ~resize_mask(inside, grid)
    if not outside.any():
        return "no_outside"
    if valid is not None:
        outside &= resize_mask(valid, grid)
    kept = erode(outside, MARGIN)
    return kept if kept.any() else "thin_outside"


def _key(picture: RGB) -> str:
    return hashlib.blake2b(picture.tobytes(), digest_size=16).hexdigest()


def _batches(
    laid: Iterator[Laid | str], size: int
) -> Iterator[list[tuple[int, Laid]] | list[tuple[int, str]]]:
    """Positions and pairs of one shape, at most `size` at a time; a reason comes by itself."""
    waiting: dict[tuple[int, ...], list[tuple[int, Laid]]] = {}
    for number, one in enumerate(laid):
        if isinstance(one, str):
            yield [(number, one)]
            continue
        waiting.setdefault(one.shape, []).append((number, one))
        if len(waiting[one.shape]) == size:
            yield waiting.pop(one.shape)
    yield from waiting.values()


def _pixels(text: str) -> int:
    if not text.isdecimal() or not 64 <= int(text) <= 4096:
        raise UsageError(f"long_side must be a number of pixels from 64 to 4096, not {text!r}")
    return int(text)
