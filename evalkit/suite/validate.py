"""A suite's folder, read whole: the suite if it is sound, and every problem at once if it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import Problem
from evalkit.suite.digest import suite_digest
from evalkit.suite.fields import read_case
from evalkit.suite.find import CASES_FILE, README_FILE, SuiteHead, read_head, readable_category
from evalkit.suite.masks import MaskProblem, mask_bits
from evalkit.suite.rules import broken_rules
from evalkit.suite.sources import SourceProblem, input_path, open_source
from evalkit.suite.textfiles import Row, read_jsonl
from evalkit.types import Case, Suite


@dataclass(frozen=True, slots=True)
class Examined:
    """`suite` is None exactly when there are problems."""

    suite: Suite | None
    problems: tuple[Problem, ...]


def check_suite(path: str | Path) -> list[Problem]:
    """Everything that is wrong with the suite in the folder `path`; an empty list if nothing is."""
    return list(examine(Path(path)).problems)


def examine(path: Path) -> Examined:
    """Read and check the suite in the folder `path`: every line, every picture, every mask."""
    head, problems = read_head(path)
    cases = _read_cases(path, problems)
    if not (path / README_FILE).is_file():
        problems.append(Problem(str(path / README_FILE), 0, "is missing: say what the suite is and is not"))
    if head is None or problems:
        return Examined(None, tuple(problems))
    suite = _assemble(head, cases)
    return Examined(replace(suite, digest=suite_digest(suite)), ())


def _assemble(head: SuiteHead, cases: list[Case]) -> Suite:
    return Suite(
        name=head.name,
        version=head.version,
        category=head.category,
        licence=head.licence,
        description=head.description,
        root=str(head.path.resolve()),
        cases=tuple(cases),
        synthetic=head.synthetic,
        redistributable=head.redistributable,
    )


def _read_cases(path: Path, problems: list[Problem]) -> list[Case]:
    file = str(path / CASES_FILE)
    category = readable_category(path)
    seen: dict[str, int] = {}
    cases: list[Case] = []
    known = len(problems)
    for row in read_jsonl(path / CASES_FILE, problems):
        values, messages = read_case(row.raw)
        messages += broken_rules(row.raw, category)
        messages += _duplicates(values, row, seen)
        messages += _inputs(path, values)
        messages += _targets(path, values)
        problems += [Problem(file, row.line, _about(row.raw) + message) for message in messages]
        if not messages:
            cases.append(Case(**values))
    if not cases and len(problems) == known:
        problems.append(Problem(file, 0, "has no cases: write one JSON object per line"))
    return cases


def _duplicates(values: Mapping[str, Any], row: Row, seen: dict[str, int]) -> Iterator[str]:
    name = values.get("id")
    if name is None:
        return
    first = seen.setdefault(name, row.line)
    if first != row.line:
        yield f'"id" is already used in line {first}; each case needs its own'


def _inputs(root: Path, values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the files a case names. A mask can be checked only against its source."""
    if "source" not in values:
        return
    try:
        source = open_source(root, values["source"])
    except SourceProblem as problem:
        yield f'"source" {problem.message}'
        return
    try:
        if "mask" in values:
            mask_bits(root, values["mask"], source.width, source.height)
    except (MaskProblem, SourceProblem) as problem:
        yield f'"mask" {problem.message}'


def _targets(root: Path, values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the pictures that checks of the kind `target_image` name."""
    for check in values.get("checks", ()):
        if check["kind"] != "target_image":
            continue
        try:
            input_path(root, str(check.get("file", "")))
        except SourceProblem as problem:
            yield f'"checks" target_image: {problem.message}'


def _about(raw: Mapping[str, Any]) -> str:
    name = raw.get("id")
    return f"case {name!r}: " if isinstance(name, str) else ""
