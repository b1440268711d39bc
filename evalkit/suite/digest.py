"""The digest of a suite: what a suite *is*, whatever its folder is called or its README says."""

from __future__ import annotations

from pathlib import Path

from evalkit.ids import digest, sha256
from evalkit.suite.cases import case_to_json
from evalkit.suite.sources import input_path, open_source
from evalkit.types import Suite


def suite_digest(suite: Suite) -> str:
    """sha256 of name, version, cases in order, and the bytes of every picture and mask file they name.

    Raises `SourceProblem` where a file is missing.
    """
    root = Path(suite.root)
    sources = {case.source for case in suite.cases if case.source is not None}
    masks = {case.mask.file for case in suite.cases if case.mask is not None and case.mask.file is not None}
    return digest(
        {
            "name": suite.name,
            "version": suite.version,
            "cases": [case_to_json(case) for case in suite.cases],
            "sources": {name: open_source(root, name).sha256 for name in sources},
            "masks": {name: sha256(input_path(root, name).read_bytes()) for name in masks},
        }
    )
