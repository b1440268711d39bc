"""The one place that imports torch's company.

The usual torchvision wheel is linked against CUDA and fails to import beside a CPU build of torch with
"operator torchvision::nms does not exist". Defining the two operator schemas first is enough: nothing
here detects boxes. It is tried only after the plain import has failed.
"""

from __future__ import annotations

import functools
import warnings
from types import ModuleType
from typing import Any

_keep_alive: list[Any] = []


@functools.cache
def torchvision_guard() -> None:
    """Make `import torchvision` work on any build of torch; call it before open_clip or lpips."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _keep_alive.append(library)
        import torchvision  # noqa: F401


def import_open_clip() -> ModuleType:
    """The open_clip package, importable on CPU."""
    torchvision_guard()
    import open_clip

    return open_clip


def import_lpips() -> ModuleType:
    """The lpips package, importable on CPU."""
    torchvision_guard()
    import lpips

    return lpips
