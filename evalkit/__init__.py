"""evalkit: a benchmarking harness for text-to-image and image-editing models.

The command line is `evalkit --help`; from Python, `open_workspace` gives results as data frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.results import Results

__version__ = "0.1.0"
__all__ = ["__version__", "open_workspace"]


def open_workspace(path: str | Path | None = None) -> Results:
    """The results of a workspace (default: $EVALKIT_WORKSPACE, else ./evalkit-workspace) as data frames.

    Raises `WorkspaceError` if there is none.
    """
    from evalkit.results import Results

    return Results(path)
