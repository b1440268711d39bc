"""Embeddings are worked out once, whichever metric, process or session asks for them first.

What is embedded is named by its digest and by how it was shown (whole, padded, a crop), in a space named by
everything that decides the numbers: weights, preprocessing, precision. Where they are kept is for
`evalkit.metrics.networks.embeddings`, what is made of them for the metrics.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from evalkit.ids import digest, sha256
from evalkit.metrics.networks.embeddings import EmbeddingCache, Memory, Vector
from evalkit.metrics.networks.encoders import Encoder
from evalkit.metrics.networks.pipeline import ahead, batches
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.networks.views import View

Work = Callable[[list[str]], Iterator[dict[str, Vector]]]
"""From keys to their vectors, some at a time."""


class Choice(Protocol):
    """Which model, before it is loaded; equal choices are one model."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def __hash__(self) -> int: ...
    def digest(self) -> str:
        """sha256 of the weights. Raises `WeightsMissing`."""

    def load(self, on: str = "") -> Encoder:
        """The model, on the device `on`. Raises `WeightsMissing`."""


class Embedder:
    """An encoder that remembers. Without a `space` nothing is kept beyond this process."""

    def __init__(self, encoder: Encoder, space: str = "", resources: Resources | None = None) -> None:
        self.encoder, self.space = encoder, space
        self._resources = resources or Resources()
        folder = self._resources.cache
        self._cache = EmbeddingCache(folder) if folder is not None and space else None
        self._memory = Memory()

    def see(self, views: Sequence[View]) -> dict[str, Vector]:
        """The embedding of every view that can be shown, by key; D values each, of unit length."""
        distinct = {view.key: view for view in views}
        return self._fill(list(distinct), lambda keys: self._look_at([distinct[key] for key in keys]))

    def read(self, texts: Sequence[str]) -> dict[str, Vector]:
        """The embedding of every text, by text."""
        by_key = {f"text {sha256(text.encode())}": text for text in texts}
        found = self._fill(list(by_key), lambda keys: self._read_out([by_key[key] for key in keys], keys))
        return {text: found[key] for key, text in by_key.items()}

    def _fill(self, keys: Sequence[str], work: Work) -> dict[str, Vector]:
        """What is remembered, then what is kept, then what has to be worked out, batch by batch."""
        found = self._memory.get(keys)
        if self._cache is not None and len(found) < len(keys):
            found |= self._cache.read(self.space, [key for key in keys if key not in found])
        missing = [key for key in keys if key not in found]
        for fresh in work(missing) if missing else ():
            found |= fresh
            if self._cache is not None:
                self._cache.write(self.space, fresh)
        self._memory.put(found)
        return found

    def _look_at(self, views: Sequence[View]) -> Iterator[dict[str, Vector]]:
        """The next pictures are decoded and prepared while the model looks at those before."""

        def prepare(view: View) -> tuple[str, object]:
            pixels = view.look()
            return view.key, None if pixels is None else self.encoder.prepare(pixels)

        size = self._resources.batch
        prepared = ahead(prepare, views, self._resources.threads, 2 * size)
        for batch in batches((one for one in prepared if one[1] is not None), size):
            keys, tensors = zip(*batch, strict=True)
            yield dict(zip(keys, self.encoder.embed(tensors), strict=True))

    def _read_out(self, texts: Sequence[str], keys: Sequence[str]) -> Iterator[dict[str, Vector]]:
        for batch in batches(iter(zip(keys, texts, strict=True)), self._resources.batch):
            vectors = self.encoder.texts([text for _, text in batch])
            yield dict(zip((key for key, _ in batch), vectors, strict=True))


def shared(choice: Choice, resources: Resources) -> Embedder:
    """The one embedder of this process for a model: metrics that choose the same one share what it has seen.

    Raises `WeightsMissing`.
    """
    return _shared(choice, choice.digest(), resources)


@functools.cache
def _shared(choice: Choice, weights: str, resources: Resources) -> Embedder:
    encoder = choice.load(resources.device)
    space = digest([weights, list(choice.names), dict(encoder.about)])
    return Embedder(encoder, space[:32], resources)
