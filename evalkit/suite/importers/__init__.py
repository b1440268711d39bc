"""Suites of others, read in their own formats: one file per format, found by scan or by entry points.

What a format is, is in `base`; the rest turns records into a folder. evalkit ships none of the data: the
files are the user's, and so is the licence to use them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping

from evalkit.errors import UnknownName
from evalkit.plugins import find_classes
from evalkit.suite.importers.base import Importer, Licence, MaskUnfit, Place, Record, Skipped
from evalkit.suite.importers.choose import Choice
from evalkit.suite.importers.inputs import BadFile, Given, ImportProblems
from evalkit.suite.importers.write import Imported, LicenceNotAccepted, Order, counts, import_suite

GROUP = "evalkit.importers"


@functools.cache
def importers() -> Mapping[str, type[Importer]]:
    """Name -> class of every format; our own win over a plug-in of the same name."""
    return find_classes(sys.modules[__name__], Importer, GROUP)


def find_importer(name: str) -> Importer:
    """The importer of a format. Raises `UnknownName`."""
    known = importers()
    if name not in known:
        raise UnknownName("format", name, known)
    return known[name]()


__all__ = [
    "GROUP",
    "BadFile",
    "Choice",
    "Given",
    "ImportProblems",
    "Imported",
    "Importer",
    "Licence",
    "LicenceNotAccepted",
    "MaskUnfit",
    "Order",
    "Place",
    "Record",
    "Skipped",
    "counts",
    "find_importer",
    "import_suite",
    "importers",
]
