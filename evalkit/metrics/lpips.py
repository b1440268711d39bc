"""How different two pictures look: LPIPS v0.1 of the edit against its source, whole and outside the mask.

The network and its calibrated heads are the lpips package's own; the trunk's weights come from our store.
`trunk=mini` is an LPIPS-like distance over the mini CLIP's stages, without calibrated heads.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import UnknownName, UsageError, WeightsMissing
from evalkit.ids import digest
from evalkit.metrics.base import RGB, Bits, Metric, Need, Output, Subject
from evalkit.metrics.pairs import Pair, Unusable, erode, pair, resize, resize_mask
from evalkit.metrics.torchrun import device, inference
from evalkit.types import Json, Value
from evalkit.weights import store
from evalkit.weights.digests import digest_of_file
from evalkit.weights.mini_model import MINI_CAVEAT, load_mini, mini_digest, trunk

MARGIN = 16
"""Pixels around the mask that are left out: a network sees beyond the point it is asked about."""

_SMALLEST = 32
_TRUNKS = ("alex", "squeeze", "vgg", "mini")
_SOURCE: frozenset[Need] = frozenset({"source"})
_MASKED: frozenset[Need] = frozenset({"source", "mask"})


@dataclass(frozen=True, slots=True)
class Perceiver:
    """A network that sees. `features` turns 1 x 3 x H x W in [-1, 1] into one tensor per layer, each of unit
    length along its channels; `weigh` turns the squared difference of layer k into 1 x 1 x h x w.
    """

    features: Callable[[Any], list[Any]]
    weigh: Callable[[int, Any], Any]


class Lpips(Metric):
    """LPIPS distance, 0 for identical pictures; lower is closer.

    Options: `trunk` is alex, squeeze, vgg or mini; `long_side` is what the longer side is reduced to.
    `perceiver` puts a ready network in place of a named one.
    """

    name = "lpips"
    version = "1"
    summary = "Perceptual distance to the source"
    defaults = {"trunk": "alex", "long_side": "512"}
    outputs = (
        Output("lpips", "Perceptual distance, whole picture", "lower", "", 0, None, _SOURCE),
        Output(
            "lpips_out", "Perceptual distance outside the mask", "lower", "", 0, None, _MASKED, headline=True
        ),
    )

    def __init__(
        self, options: Mapping[str, str] | None = None, *, perceiver: Perceiver | None = None
    ) -> None:
        super().__init__(options)
        if self.options["trunk"] not in _TRUNKS:
            raise UnknownName("trunk of lpips", self.options["trunk"], _TRUNKS)
        self._long_side = _pixels(self.options["long_side"])
        self.options["long_side"] = str(self._long_side)
        self._perceiver = perceiver
        self._sources: OrderedDict[tuple[str, tuple[int, ...]], list[Any]] = OrderedDict()

    @property
    def config(self) -> Mapping[str, Json]:
        """Trunk and size, and the margin around the mask."""
        return {**self.options, "margin": MARGIN}

    @property
    def caveat(self) -> str:
        """What the mini trunk is good for; nothing to add for the others."""
        return MINI_CAVEAT if self.options["trunk"] == "mini" else ""

    def weights_digest(self) -> str | None:
        """sha256 over trunk and heads. Raises `WeightsMissing`."""
        if self.options["trunk"] == "mini":
            return mini_digest()
        name = self.options["trunk"]
        return digest([store.digest(f"lpips-{name}"), digest_of_file(_heads(name))])

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        both = pair(subject)
        if isinstance(both, Unusable):
            return self.missing(both.reason)
        both = reduced(both, self._long_side)
        if min(both.image.shape[:2]) < _SMALLEST:
            return self.missing("too_small")
        whole, outside = self._distances(both, subject.source_sha)
        return {"lpips": Value(whole), "lpips_out": outside}

    def _distances(self, both: Pair, source_sha: str | None) -> tuple[float, Value]:
        perceiver = self._loaded()
        with inference():
            seen = perceiver.features(to_tensor(both.image))
            layers = layer_distances(perceiver, self._source_features(both.source, source_sha), seen)
            whole = float(sum(layer.mean() for layer in layers))
            if both.inside is None:
                return whole, Value(None, "no_mask")
            return whole, _outside(layers, both.inside)

    def _source_features(self, source: RGB, sha: str | None) -> list[Any]:
        """Remembered for the two latest sources: several systems edit the same one in a row."""
        key = (sha or "", source.shape)
        if sha and key in self._sources:
            return self._sources[key]
        features = self._loaded().features(to_tensor(source))
        if sha:
            self._sources[key] = features
            while len(self._sources) > 2:
                self._sources.popitem(last=False)
        return features

    def _loaded(self) -> Perceiver:
        if self._perceiver is None:
            name = self.options["trunk"]
            self._perceiver = mini_perceiver() if name == "mini" else lpips_perceiver(load_lpips(name))
        return self._perceiver


def reduced(both: Pair, long_side: int) -> Pair:
    """The pair with its longer side at most `long_side` px, shape kept; never enlarged."""
    height, width = both.image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return both
    grid = (max(1, round(height * scale)), max(1, round(width * scale)))
    inside = None if both.inside is None else resize_mask(both.inside, grid)
    return Pair(resize(both.source, grid), resize(both.image, grid), inside, both.size_ratio)


def layer_distances(perceiver: Perceiver, first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    """One 1 x 1 x h x w map per layer; LPIPS is the sum of their means."""
    pairs = zip(first, second, strict=True)
    return [perceiver.weigh(k, (one - other) ** 2) for k, (one, other) in enumerate(pairs)]


def distance_map(layers: Sequence[Any], height: int, width: int) -> Any:
    """The layers enlarged bilinearly and added up: H x W, as lpips does with `spatial=True`."""
    from torch.nn.functional import interpolate

    enlarged = (interpolate(one, (height, width), mode="bilinear", align_corners=False) for one in layers)
    total: Any = sum(enlarged)
    return total[0, 0]


def to_tensor(image: RGB) -> Any:
    """H x W x 3 uint8 as 1 x 3 x H x W float32 in [-1, 1] on the device."""
    import torch

    pixels = torch.from_numpy(image.copy()).to(device()).permute(2, 0, 1)[None]
    return pixels.float() / 127.5 - 1


def load_lpips(name: str) -> Any:
    """The lpips package's network with trunk weights from our store. Raises `WeightsMissing`."""
    import torch

    path = store.locate(f"lpips-{name}")
    network = blank_lpips(name)
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.net.load_state_dict(trunk_state(network.net, state))
    return network.to(device())


def blank_lpips(name: str) -> Any:
    """The network with its calibrated heads and a random trunk; asks for no download."""
    from evalkit.weights.torchguard import import_lpips

    package = import_lpips()
    with warnings.catch_warnings():
        # torchvision warns about the spelling of an argument that the lpips package passes
        warnings.simplefilter("ignore", UserWarning)
        return package.LPIPS(net=name, pnet_rand=True, verbose=False).eval()


def trunk_state(net: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    """torchvision's `features.<i>.*` under the names the lpips package gives them, `slice<k>.<i>.*`.

    Every tensor of the trunk must be found: loading what happens to match would compare other networks.
    """
    names: dict[str, str] = {}
    for slice_name, part in net.named_children():
        names.update({index: slice_name for index, _ in part.named_children()})
    features = {key.split(".", 1)[1]: value for key, value in state.items() if key.startswith("features.")}
    return {f"{names[key.split('.')[0]]}.{key}": value for key, value in features.items()}


def lpips_perceiver(network: Any) -> Perceiver:
    """The parts of an lpips network, so that map and scalar come from one pass."""
    from evalkit.weights.torchguard import import_lpips

    normalise = import_lpips().normalize_tensor

    def features(x: Any) -> list[Any]:
        return [normalise(layer) for layer in network.net(network.scaling_layer(x))]

    return Perceiver(features, lambda k, squared: network.lins[k](squared))


def mini_perceiver() -> Perceiver:
    """LPIPS-like: squared distance of unit vectors at each stage of the mini CLIP, averaged over stages."""
    import torch

    model = load_mini(device()).model
    stages = [stage for _, stage in trunk(model)]
    about = model.visual.preprocess_cfg
    mean, std = (torch.tensor(about[key], device=device()).view(1, 3, 1, 1) for key in ("mean", "std"))

    def features(x: Any) -> list[Any]:
        layers, x = [], ((x + 1) / 2 - mean) / std
        for stage in stages:
            x = stage(x)
            layers.append(x / (x.norm(dim=1, keepdim=True) + 1e-10))
        return layers

    return Perceiver(features, lambda _, squared: squared.sum(dim=1, keepdim=True) / len(stages))


def _outside(layers: Sequence[Any], inside: Bits) -> Value:
    if inside.all():
        return Value(None, "no_outside")
    kept = erode(~inside, MARGIN)
    if not kept.any():
        return Value(None, "thin_outside")
    values = distance_map(layers, *inside.shape).cpu().numpy()[kept]
    return Value(float(values.mean(dtype="float64")))


def _heads(name: str) -> Path:
    found = importlib.util.find_spec("lpips")
    folder = Path(found.origin).parent if found and found.origin else Path("lpips")
    path = folder / "weights" / "v0.1" / f"{name}.pth"
    if not path.is_file():
        hint = 'They come with the wheel: pip install --force-reinstall "lpips>=0.1.4,<0.2"'
        raise WeightsMissing(f"the LPIPS heads for {name} are missing", hint)
    return path


def _pixels(text: str) -> int:
    if not text.isdecimal() or not 64 <= int(text) <= 4096:
        raise UsageError(f"long_side must be a number of pixels from 64 to 4096, not {text!r}")
    return int(text)
