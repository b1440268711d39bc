"""The one place that imports torch's company.

The usual torchvision wheel is linked against CUDA and fails to import beside a CPU build of torch with
"operator torchvision::nms does not exist". Defining the two operator schemas first is enough: nothing
here detects boxes. It is tried only after the plain import has failed.
"""

from __future__ import annotations

import functools
import warnings
from importlib import import_module
from typing import Any

_keep_alive: list[Any] = []


@functools.cache
def torchvision_guard() -> None:
    """Make `import torchvision` work on any build of torch; call it before open_clip or lpips."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _define_operators()
        import_module("torchvision")


def import_open_clip() -> Any:
    """The open_clip package, importable on CPU."""
    torchvision_guard()
    return import_module("open_clip")


def import_lpips() -> Any:
    """The lpips package, importable on CPU."""
    torchvision_guard()
    return import_module("lpips")


def _define_operators() -> None:
    library: Any = import_module("torch.library").Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _keep_alive.append(library)
