"""Where torch models run, and the arithmetic they use.

A GPU is used if there is one, unless EVALKIT_DEVICE says otherwise. Reduced-precision convolutions are
switched off for the duration of a call, so that a GPU gives the numbers of a CPU to within rounding.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any


def device() -> str:
    """`cuda` or `cpu`; EVALKIT_DEVICE overrides."""
    import torch

    return os.environ.get("EVALKIT_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """No gradients, full float32."""
    import torch

    cudnn: Any = torch.backends.cudnn
    with torch.inference_mode(), cudnn.flags(enabled=True, allow_tf32=False):
        yield
