"""Suites: named, versioned lists of cases on disk; finding, checking, loading and starting them.

Knows files and pictures that are asked about; leaves what is done with them to runner, metrics and study.
"""

from evalkit.suite.cases import case_from_json, case_to_json
from evalkit.suite.digest import suite_digest
from evalkit.suite.find import CATEGORIES, SuiteHead, find_suite, list_suites, suite_roots
from evalkit.suite.load import load_suite
from evalkit.suite.masks import MaskProblem, resolve_mask
from evalkit.suite.scaffold import new_suite, write_suite
from evalkit.suite.sources import PHOTOGRAPHS, SourceProblem, resolve_source
from evalkit.suite.validate import check_suite

__all__ = [
    "CATEGORIES",
    "PHOTOGRAPHS",
    "MaskProblem",
    "SourceProblem",
    "SuiteHead",
    "case_from_json",
    "case_to_json",
    "check_suite",
    "find_suite",
    "list_suites",
    "load_suite",
    "new_suite",
    "resolve_mask",
    "resolve_source",
    "suite_digest",
    "suite_roots",
    "write_suite",
]
