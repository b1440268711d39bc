"""The folders and switches of this machine that decide where model files are looked for.

Read from the environment at every call, never at import, so that a test or a notebook can change them.
"""

from __future__ import annotations

import os
from pathlib import Path


def weights_dir() -> Path:
    """Where evalkit keeps model files: EVALKIT_WEIGHTS_DIR, else evalkit/weights in the user's cache."""
    chosen = os.environ.get("EVALKIT_WEIGHTS_DIR")
    return Path(chosen).expanduser() if chosen else _cache() / "evalkit" / "weights"


def is_chosen() -> bool:
    """True if EVALKIT_WEIGHTS_DIR names the only folder to look in."""
    return bool(os.environ.get("EVALKIT_WEIGHTS_DIR"))


def hub_cache() -> Path:
    """Hugging Face's cache: HF_HUB_CACHE, else hub in HF_HOME."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else _cache() / "huggingface") / "hub"


def hub_endpoint() -> str:
    """The hub's base URL: HF_ENDPOINT, without a slash at the end."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def torch_cache() -> Path:
    """Where torchvision keeps what it has downloaded: hub/checkpoints in TORCH_HOME."""
    home = os.environ.get("TORCH_HOME")
    return (Path(home).expanduser() if home else _cache() / "torch") / "hub" / "checkpoints"


def is_offline() -> bool:
    """HF_HUB_OFFLINE forbids downloads, by the values Hugging Face takes for true."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
