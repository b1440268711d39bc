"""Where the files that ship with evalkit are: suites, report definitions.

In a checkout they lie beside the package, in a wheel inside it (`_bundle`); this module is the only one
that knows.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """The folder `suites` or `reports` of this installation.

    >>> bundled("suites").name
    'suites'
    """
    inside = _PACKAGE / "_bundle" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
