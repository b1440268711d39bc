"""`folder:`: pictures that somebody already has, scored as if a system had just made them.

    folder:pictures/         pictures/<case>.png, pictures/<case>_2.png, pictures/<case>/*.png; with several
                             suites also pictures/<suite>/<case>.png
    folder:pictures.csv      columns case,file and optionally suite; or a .jsonl of such objects;
                             files relative to the list

Several files of one case are its replicates, in order of name (folder) or of the list. The provider never
changes, copies back or renames a file; what found no partner is reported by `coverage`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from evalkit.errors import InvalidInput, Problem, UnknownName, UsageError
from evalkit.ids import sha256
from evalkit.providers.base import Ledger, Provider, Settings
from evalkit.types import Case, Coverage, Delivered, Failed, Outcome, Picture, Request, System

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff"})
_NUMBERED = re.compile(r"(.+?)[_-]{1,2}\d+")

Key = tuple[str, str]
"""(suite, case)."""


class Folder(Provider):
    """Pictures on disk. `fingerprint` is the file's digest, so a changed file is a new trial."""

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "pictures you already have: a directory, or a CSV/JSONL list of case -> file"
    replayable = True

    def __init__(self, system: System, settings: Settings = Settings()) -> None:
        super().__init__(system, settings)
        if system.params:
            raise UnknownName("parameter of folder", next(iter(system.params)), [])
        self.path = Path(system.model).expanduser()
        if not self.path.exists():
            raise UsageError(
                f"folder: there is no {self.path}", "Give a directory, or a .csv or .jsonl list."
            )
        self._files: dict[Key, list[Path]] = {}

    def match(self, suites: Mapping[str, Sequence[Case]]) -> Coverage:
        wanted = {(suite, case.id): case for suite, cases in suites.items() for case in cases}
        find = _by_list if self.path.is_file() else _by_name
        spare = []
        for file, key in find(self.path, wanted):
            if key is None:
                spare.append(file)
            else:
                self._files.setdefault(key, []).append(file)
        missing = tuple(f"{suite}/{case}" for suite, case in wanted if (suite, case) not in self._files)
        return Coverage(len(wanted) - len(missing), missing, tuple(self._shown(file) for file in spare))

    def fingerprint(self, suite: str, case: Case, replicate: int) -> str:
        files = self._files.get((suite, case.id), [])
        return sha256(files[replicate].read_bytes()) if replicate < len(files) else "no file"

    def replicates(self, suite: str, case: Case, asked: int) -> int:
        """As many as there are files; one (which fails as `missing_file`) where there is none."""
        del asked
        return max(1, len(self._files.get((suite, case.id), [])))

    async def generate(self, request: Request, ledger: Ledger) -> Outcome:
        del ledger
        files = self._files.get((request.suite, request.case), [])
        if request.replicate >= len(files):
            return Failed("missing_file", f"{self.path} has no picture for case {request.case!r}")
        return Delivered((Picture(files[request.replicate].read_bytes()),))

    def _shown(self, file: Path) -> str:
        base = self.path if self.path.is_dir() else self.path.parent
        return file.relative_to(base).as_posix() if file.is_relative_to(base) else str(file)


def _by_name(folder: Path, wanted: Iterable[Key]) -> Iterator[tuple[Path, Key | None]]:
    """Each picture of a directory with the case its name says: [suite/]case.png, case_2.png, case/any.png."""
    keys = set(wanted)
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in file.parts):
            yield file, _key_of(file.relative_to(folder), keys)


def _key_of(file: Path, keys: set[Key]) -> Key | None:
    suites = {suite for suite, _ in keys}
    *folders, _ = file.parts
    numbered = _NUMBERED.fullmatch(file.stem)
    names = [file.stem, *([numbered[1]] if numbered else []), *folders[-1:]]
    inside = [folders[0]] if folders and folders[0] in suites else sorted(suites)
    return next(((suite, name) for name in names for suite in inside if (suite, name) in keys), None)


def _by_list(path: Path, wanted: Iterable[Key]) -> Iterator[tuple[Path, Key | None]]:
    """Each row of a CSV or JSONL list with its case; every row that cannot be used is reported at once."""
    keys = set(wanted)
    suites = sorted({suite for suite, _ in keys})
    problems: list[Problem] = []
    for line, row in _rows(path, problems):
        case, file = row.get("case"), row.get("file")
        if not isinstance(case, str) or not isinstance(file, str):
            problems.append(Problem(path.name, line, "needs a `case` and a `file`"))
            continue
        picture = (path.parent / file).resolve()
        if not picture.is_file():
            problems.append(Problem(path.name, line, f"there is no file {file}"))
            continue
        inside = [str(row["suite"])] if row.get("suite") else suites
        yield picture, next(((suite, case) for suite in inside if (suite, case) in keys), None)
    if problems:
        listing = "\n".join(f"  {problem}" for problem in problems)
        raise InvalidInput(
            f"{path} cannot be used:\n{listing}", "Mend these lines and run the same command again."
        )


def _rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Mapping[str, object]]]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() != ".jsonl":
        reader = csv.DictReader(io.StringIO(text))
        for row in reader:
            yield reader.line_num, row
        return
    for line, raw in enumerate(text.splitlines(), start=1):
        try:
            record = json.loads(raw) if raw.strip() else None
        except ValueError as error:
            problems.append(Problem(path.name, line, f"is not JSON: {error}"))
            continue
        if isinstance(record, dict):
            yield line, record
