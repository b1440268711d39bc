"""Where torch models run, in which arithmetic, and what of the machine a metric may use.

A GPU is used if there is one, unless EVALKIT_DEVICE or `Resources.device` says otherwise. `fp32` is full
float32: reduced-precision convolutions are switched off for the duration of a call, so that a GPU gives the
numbers of a CPU to within rounding. `bf16` and `fp16` are torch's autocast; what comes out is float32 again.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import UnknownName, UsageError

PRECISIONS = ("fp32", "bf16", "fp16")
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""One of these is there on Linux if any driver that torch can use is loaded; looking costs nothing."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a metric may use: set by whoever runs it. A metric works without any of it.

    `device` is torch's name for it, empty for the best there is. `cache` is a folder for what can be worked
    out again. `threads` prepare pictures while the model runs, and `batch` pictures go through it at once.
    """

    device: str = ""
    cache: Path | None = None
    threads: int = 1
    batch: int = 16


def device(asked: str = "") -> str:
    """`asked`, else EVALKIT_DEVICE, else `cuda` if there is one, else `cpu`."""
    chosen = asked or os.environ.get("EVALKIT_DEVICE", "")
    return chosen or ("cuda" if _has_cuda() else "cpu")


def settled_device(asked: str = "") -> str:
    """Like `device`, but certain to exist. Raises `UsageError` if it does not.

    torch is imported only where there is a driver for it to find.
    """
    chosen = device(asked)
    if not re.fullmatch(r"cpu|cuda(:\d+)?", chosen):
        raise UsageError(f"there is no device {chosen!r}", "Devices are cpu, cuda and cuda:N.")
    if chosen != "cpu":
        _refuse_absent(chosen)
    return chosen


def checked_precision(text: str) -> str:
    """`text` if it is a precision. Raises `UnknownName`."""
    if text not in PRECISIONS:
        raise UnknownName("precision", text, PRECISIONS)
    return text


@contextlib.contextmanager
def inference(precision: str = "fp32", where: str = "cpu") -> Iterator[None]:
    """No gradients; full float32, or autocast to `precision` on the device `where`."""
    import torch

    cudnn: Any = torch.backends.cudnn
    with torch.inference_mode(), cudnn.flags(enabled=True, allow_tf32=False):
        if precision == "fp32":
            yield
            return
        dtype = torch.bfloat16 if precision == "bf16" else torch.float16
        with torch.autocast(where.split(":")[0], dtype=dtype):
            yield


def _refuse_absent(chosen: str) -> None:
    if not _has_cuda():
        raise UsageError(
            f"{chosen} is asked for, but torch sees no GPU here",
            "Leave --device out, or install the driver and the CUDA build of torch; see: evalkit doctor",
        )
    import torch

    number, count = int(chosen.partition(":")[2] or 0), torch.cuda.device_count()
    if number >= count:
        raise UsageError(f"there is no {chosen}", f"The GPUs here are cuda:0 to cuda:{count - 1}.")


def _has_cuda() -> bool:
    if not any(Path(name).exists() for name in _DEVICE_FILES):
        return False
    import torch

    return torch.cuda.is_available()
