"""Loading a suite: the one call that the rest of the program makes."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import SuiteProblems
from evalkit.suite.find import find_suite
from evalkit.suite.validate import examine
from evalkit.types import Suite


def load_suite(name_or_path: str | Path) -> Suite:
    """The suite of that name, or in that folder, with its digest.

    Raises `UnknownName` where there is none and `SuiteProblems` with everything that is wrong with it.
    """
    examined = examine(find_suite(name_or_path))
    if examined.suite is None:
        raise SuiteProblems(str(name_or_path), examined.problems)
    return examined.suite
