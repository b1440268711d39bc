"""From foreign files to a suite's folder: whole and valid, or not there at all.

The folder is made beside its place under a hidden name, checked like any suite, and renamed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import evalkit
from evalkit.clock import now
from evalkit.errors import InvalidInput, Problem, UsageError
from evalkit.ids import digest
from evalkit.store import storage_errors
from evalkit.suite.cases import case_to_json
from evalkit.suite.fields import NAME, NAME_RULE
from evalkit.suite.importers.base import Importer, Licence, Record
from evalkit.suite.importers.choose import Choice, Tally, category_of, choose
from evalkit.suite.importers.inputs import Given, ImportProblems
from evalkit.suite.importers.pictures import Pictures
from evalkit.suite.rules import broken_rules
from evalkit.suite.scaffold import write_texts
from evalkit.suite.validate import check_suite
from evalkit.types import Case, Suite

MANIFEST = "manifest.json"
RECORDS = "records.csv"
_README = Path(__file__).resolve().parent.parent / "templates" / "imported.md"


class LicenceNotAccepted(UsageError):
    """A format whose licence is not open, and that nobody has said they have read."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to import into which folder. `accepted` is the licence that the user says allows it."""

    importer: Importer
    paths: tuple[Path, ...]
    folder: Path
    choice: Choice = field(default_factory=Choice)
    accepted: str | None = None
    images: Path | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it. `read` = `cases` + all of `skipped` + all of `left_out`."""

    path: Path
    format: str
    category: str
    licence: Licence
    cases: int
    read: int
    skipped: Mapping[str, int]
    left_out: Mapping[str, int]
    notes: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Made:
    """A case and the record it was."""

    case: Case
    record: Record


def import_suite(order: Order) -> Imported:
    """Write the suite and count what became of every record.

    Raises `LicenceNotAccepted`, `ImportProblems` for files of another format, `UnknownName` and
    `UsageError` for choices and names that cannot be; nothing is then left on the disk.
    """
    _check_place(order.folder)
    category = category_of(order.importer, order.choice)
    given = Given(order.paths, order.images)
    if given.missing:
        raise UsageError(f"there is no {' and no '.join(str(path) for path in given.missing)}")
    licence = order.importer.terms(given)
    _check_licence(order, licence)
    tally = Tally()
    records = _records(order, given, tally)
    with _aside(order.folder) as folder:
        made = _cases(records, Pictures(folder, tally), category, tally)
        _require_some(order, made, tally)
        told = _imported(order, category, licence, len(made), tally)
        _write(folder, order, given, made, told)
        problems = check_suite(folder)
        if problems:
            raise ImportProblems(order.importer.title, problems)
        _publish(folder, order.folder)
    return told


def _check_place(folder: Path) -> None:
    name = folder.resolve().name
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a suite: it {NAME_RULE}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder", "Choose another name.")


def _check_licence(order: Order, licence: Licence) -> None:
    if licence.open or order.accepted == licence.id:
        return
    given = f", not {order.accepted}" if order.accepted else ""
    raise LicenceNotAccepted(
        f"the licence of {order.importer.title} is {licence.id}{given}. {licence.terms}".rstrip(),
        f"See {order.importer.origin}. If it lets you do what you are going to do, add: "
        f"--accept-licence {licence.id} (prompts and pictures of the suite then stay out of reports)",
    )


def _records(order: Order, given: Given, tally: Tally) -> list[Record]:
    found = list(order.importer.read(given))
    unnamed = [path for path in given.unused() if not any(str(path) in p.file for p in given.problems)]
    for path in unnamed:
        message = f"is none of the files that this format reads: {order.importer.needs}"
        given.problems.append(Problem(str(path), 0, message))
    if given.problems:
        hint = f"{order.importer.title} is made of {order.importer.needs}, from {order.importer.origin}"
        raise ImportProblems(order.importer.title, given.problems, hint)
    return choose(order.importer, found, order.choice, tally)


def _cases(records: Sequence[Record], pictures: Pictures, category: str, tally: Tally) -> list[_Made]:
    made = []
    for record in records:
        try:
            case = pictures.complete(record)
        except InvalidInput as problem:
            tally.skip(record.origin, problem.message)
            continue
        broken = next(broken_rules(case_to_json(case), category), None)
        if broken:
            tally.skip(record.origin, broken)
        else:
            made.append(_Made(case, record))
    return made


def _require_some(order: Order, made: Sequence[_Made], tally: Tally) -> None:
    if not made:
        why = Counter(tally.skipped) + Counter(tally.left_out)
        reasons = (
            "; ".join(f"{number}: {reason}" for reason, number in why.most_common()) or "the files are empty"
        )
        raise UsageError(f"no case is left of {tally.read} records of {order.importer.title}: {reasons}")


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder of the same name in a hidden one beside its place; gone at the end, come what may."""
    with storage_errors("write the suite"):
        folder.resolve().parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".evalkit-import-", dir=folder.resolve().parent))
    try:
        with storage_errors("write the suite"):
            made = hidden / folder.resolve().name
            (made / "inputs").mkdir(parents=True)
            yield made
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _publish(made: Path, folder: Path) -> None:
    made.chmod(0o755)
    made.rename(folder.resolve())


def _imported(order: Order, category: str, licence: Licence, cases: int, tally: Tally) -> Imported:
    return Imported(
        path=order.folder,
        format=order.importer.name,
        category=category,
        licence=licence,
        cases=cases,
        read=tally.read,
        skipped=dict(tally.skipped),
        left_out=dict(tally.left_out),
        notes=dict(tally.notes),
        examples={text: tuple(names) for text, names in tally.examples.items()},
    )


def _write(folder: Path, order: Order, given: Given, made: Sequence[_Made], told: Imported) -> None:
    files = _files(given)
    choice = order.choice
    wanted: dict[str, Any] = {"category": told.category, "only": list(choice.only), "limit": choice.limit}
    wanted["seed"] = choice.seed if choice.limit else None
    code = digest([files, wanted])[:12]
    suite = Suite(
        name=folder.name,
        version=f"{order.importer.version}.{code}",
        category=told.category,
        licence=told.licence.id,
        description=f"{told.cases} cases of {order.importer.title}, imported.",
        root=str(folder),
        cases=tuple(one.case for one in made),
        redistributable=told.licence.open,
    )
    write_texts(folder, suite, _readme(folder.name, order, told))
    _write_text(folder / RECORDS, _table(made))
    manifest = _manifest(order, told, files, wanted)
    _write_text(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


def _files(given: Given) -> list[dict[str, Any]]:
    found = []
    for path in given.used:
        with path.open("rb") as file:
            code = hashlib.file_digest(file, "sha256").hexdigest()
        found.append({"file": given.shown(path), "bytes": path.stat().st_size, "sha256": code})
    return found


def _manifest(
    order: Order, told: Imported, files: list[dict[str, Any]], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "format": told.format,
        "importer": order.importer.version,
        "evalkit": evalkit.__version__,
        "imported": now(),
        "licence": told.licence.id,
        "redistributable": told.licence.open,
        "accepted": None if told.licence.open else order.accepted,
        "origin": order.importer.origin,
        "wanted": dict(wanted),
        "counts": counts(told),
        "files": files,
    }


def counts(told: Imported) -> dict[str, Any]:
    """What became of the records, as plain JSON."""
    return {
        "read": told.read,
        "cases": told.cases,
        "skipped": dict(told.skipped),
        "left_out": dict(told.left_out),
        "notes": dict(told.notes),
    }


def _table(made: Sequence[_Made]) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["case", "original_id", "file", "line"])
    for one in made:
        place = one.record.place
        rows.writerow([one.case.id, one.record.origin, place.file, place.line or ""])
    return out.getvalue()


def _readme(name: str, order: Order, told: Imported) -> str:
    importer, licence = order.importer, told.licence
    gone = {**told.skipped, **told.left_out}
    lines = [f"* {number}: {reason}" for reason, number in gone.items()] or ["* nothing"]
    done = [f"* {number}: {text}" for text, number in told.notes.items()] or ["* nothing"]
    passing = (
        ""
        if licence.open
        else (
            f" **This folder must not be passed on.** {licence.terms} Whoever imported it accepted "
            f"{licence.id}; reports leave its prompts, its pictures and edits of them out."
        )
    )
    parts = {
        "NAME": name,
        "TITLE": importer.title,
        "FORMAT": importer.name,
        "ORIGIN": importer.origin,
        "LICENCE": licence.id + "." + passing,
        "ABOUT": importer.about,
        "CASES": str(told.cases),
        "READ": str(told.read),
        "CATEGORY": told.category,
        "GONE": "\n".join(lines),
        "DONE": "\n".join(done),
    }
    text = _README.read_text("utf-8")
    for key, value in parts.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
