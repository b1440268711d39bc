"""Networks that see: what LPIPS compares pictures by.

The network and its calibrated heads are the lpips package's own; the trunk's weights come from our store.
`mini` is an LPIPS-like distance over the mini CLIP's stages, without calibrated heads. Which pictures are
compared, and where, is for `evalkit.metrics.lpips`.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import WeightsMissing
from evalkit.ids import digest
from evalkit.metrics.base import RGB
from evalkit.metrics.networks.torchrun import device, inference
from evalkit.weights import store
from evalkit.weights.digests import digest_of_file
from evalkit.weights.mini_model import load_mini, mini_digest, trunk

TRUNKS = ("alex", "squeeze", "vgg", "mini")
_APPETITES = {"vgg": 16, "mini": 2}
"""How many times AlexNet's memory a picture takes."""


@dataclass(frozen=True, slots=True)
class Perceiver:
    """A network that sees.

    `trunk` turns N x 3 x H x W in [-1, 1] into one tensor per layer, `normalise` gives those unit length
    along their channels, and `weigh` turns the squared difference of layer k into N x 1 x h x w. Only the
    trunk runs in `precision`. `appetite` is how many times AlexNet's memory a picture takes.
    """

    trunk: Callable[[Any], list[Any]]
    normalise: Callable[[Any], Any]
    weigh: Callable[[int, Any], Any]
    precision: str = "fp32"
    on: str = "cpu"
    appetite: int = 1

    def features(self, x: Any) -> list[Any]:
        """One tensor per layer, float32, of unit length along the channels."""
        with inference(self.precision, self.on):
            layers = self.trunk(x)
        with inference():
            return [self.normalise(layer.float()) for layer in layers]

    def see(self, pictures: Sequence[RGB]) -> list[Any]:
        """The features of N pictures of one size."""
        return self.features(to_tensor(pictures, self.on))

    def differences(self, first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
        """One N x 1 x h x w map per layer; LPIPS is the sum of their means."""
        with inference():
            pairs = zip(first, second, strict=True)
            return [self.weigh(k, (one - other) ** 2) for k, (one, other) in enumerate(pairs)]


def load(trunk_name: str, precision: str = "fp32", on: str = "") -> Perceiver:
    """The network of that trunk, on the device `on`. Raises `WeightsMissing`."""
    if trunk_name == "mini":
        return mini_perceiver(precision, on)
    return lpips_perceiver(load_lpips(trunk_name, on), precision)


def trunk_digest(name: str) -> str:
    """sha256 over trunk and heads. Raises `WeightsMissing`."""
    if name == "mini":
        return mini_digest()
    return digest([store.digest(f"lpips-{name}"), digest_of_file(_heads(name))])


def distance_map(layers: Sequence[Any], height: int, width: int) -> Any:
    """The layers enlarged bilinearly and added up: N x H x W, as lpips does with `spatial=True`."""
    from torch.nn.functional import interpolate

    with inference():
        size = (height, width)
        enlarged = (interpolate(one, size, mode="bilinear", align_corners=False) for one in layers)
        total: Any = sum(enlarged)
        return total[:, 0]


def to_tensor(pictures: Sequence[RGB], on: str = "cpu") -> Any:
    """N pictures (H x W x 3 uint8, of one size) as N x 3 x H x W float32 in [-1, 1] on a device."""
    import torch

    pixels = torch.from_numpy(np.stack(pictures)).to(on).permute(0, 3, 1, 2)
    return pixels.float() / 127.5 - 1


def split(features: Sequence[Any]) -> list[list[Any]]:
    """Features of N pictures as N times those of one; they do not hold on to the memory of all."""
    return [[layer[n : n + 1].clone() for layer in features] for n in range(features[0].shape[0])]


def joined(several: Sequence[list[Any]]) -> list[Any]:
    """The inverse of `split`; of the same features several times, once is enough, as they fit any number."""
    import torch

    if all(one is several[0] for one in several):
        return several[0]
    return [torch.cat(layers) for layers in zip(*several, strict=True)]


def load_lpips(name: str, on: str = "") -> Any:
    """The lpips package's network with trunk weights from our store. Raises `WeightsMissing`."""
    import torch

    path = store.locate(f"lpips-{name}")
    network = blank_lpips(name)
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.net.load_state_dict(trunk_state(network.net, state))
    return network.to(device(on))


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


def lpips_perceiver(network: Any, precision: str = "fp32") -> Perceiver:
    """The parts of an lpips network, so that map and scalar come from one pass."""
    from evalkit.weights.torchguard import import_lpips

    return Perceiver(
        trunk=lambda x: list(network.net(network.scaling_layer(x))),
        normalise=import_lpips().normalize_tensor,
        weigh=lambda k, squared: network.lins[k](squared),
        precision=precision,
        on=str(next(network.parameters()).device),
        appetite=_APPETITES.get(network.pnet_type, 1),
    )


def mini_perceiver(precision: str = "fp32", on: str = "") -> Perceiver:
    """LPIPS-like: squared distance of unit vectors at each stage of the mini CLIP, averaged over stages."""
    import torch

    where = device(on)
    model = load_mini(where).model
    stages = [stage for _, stage in trunk(model)]
    about = model.visual.preprocess_cfg
    mean, std = (torch.tensor(about[key], device=where).view(1, 3, 1, 1) for key in ("mean", "std"))

    def features(x: Any) -> list[Any]:
        layers, x = [], ((x + 1) / 2 - mean) / std
        for stage in stages:
            x = stage(x)
            layers.append(x)
        return layers

    return Perceiver(
        trunk=features,
        normalise=lambda layer: layer / (layer.norm(dim=1, keepdim=True) + 1e-10),
        weigh=lambda _, squared: squared.sum(dim=1, keepdim=True) / len(stages),
        precision=precision,
        on=where,
        appetite=_APPETITES["mini"],
    )


def _heads(name: str) -> Path:
    found = importlib.util.find_spec("lpips")
    folder = Path(found.origin).parent if found and found.origin else Path("lpips")
    path = folder / "weights" / "v0.1" / f"{name}.pth"
    if not path.is_file():
        hint = 'They come with the wheel: pip install --force-reinstall "lpips>=0.1.4,<0.2"'
        raise WeightsMissing(f"the LPIPS heads for {name} are missing", hint)
    return path
