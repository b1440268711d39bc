"""Writing a suite's folder: a small valid one to start from, or one that an importer has read.

The example cases are in `templates/`, one file per category.
"""

from __future__ import annotations

import json
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.suite.cases import case_to_json
from evalkit.suite.fields import NAME, NAME_RULE, did_you_mean
from evalkit.suite.find import CASES_FILE, CATEGORIES, HEAD_FILE, README_FILE
from evalkit.types import Suite

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def new_suite(path: str | Path, category: str) -> Path:
    """Write a suite with two example cases into the new folder `path`; it validates as it is.

    Raises `UsageError` where the folder has something in it, its name cannot be a suite's, or the category
    is unknown.
    """
    folder = Path(path)
    if category not in CATEGORIES:
        raise UsageError(f"unknown category {category!r}{did_you_mean(category, CATEGORIES)}")
    _make_folder(folder)
    name = folder.resolve().name
    description = f"Describe {name} in one sentence."
    _write_head(folder, Suite(name, "0.1.0", category, "CC0-1.0", description, str(folder), ()))
    (folder / CASES_FILE).write_bytes((_TEMPLATES / f"{category}.jsonl").read_bytes())
    readme = (_TEMPLATES / README_FILE).read_text("utf-8")
    _write_text(folder / README_FILE, readme.replace("NAME", name).replace("CATEGORY", category))
    return folder


def write_suite(path: str | Path, suite: Suite, readme: str) -> Path:
    """Write `suite` into the new folder `path`, under that folder's name, without its pictures.

    The caller puts the files that cases name into it. Raises `UsageError` as `new_suite` does.
    """
    folder = Path(path)
    _make_folder(folder)
    write_texts(folder, suite, readme)
    return folder


def write_texts(folder: Path, suite: Suite, readme: str) -> None:
    """The three text files of `suite`, into a folder that is there."""
    _write_head(folder, suite)
    lines = [json.dumps(case_to_json(case), ensure_ascii=False) + "\n" for case in suite.cases]
    _write_text(folder / CASES_FILE, "".join(lines))
    _write_text(folder / README_FILE, readme)


def _make_folder(folder: Path) -> None:
    name = folder.resolve().name
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a suite: it {NAME_RULE}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder", "Choose another name.")
    (folder / "inputs").mkdir(parents=True, exist_ok=True)


def _write_head(folder: Path, suite: Suite) -> None:
    """JSON strings are valid TOML strings once DEL is escaped."""
    given = {
        "name": folder.resolve().name,
        "version": suite.version,
        "category": suite.category,
        "licence": suite.licence,
        "description": suite.description,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]
    lines += ["synthetic = true"] if suite.synthetic else []
    lines += [] if suite.redistributable else ["redistributable = false"]
    _write_text(folder / HEAD_FILE, "\n".join(lines).replace("\x7f", "\\u007F") + "\n")


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
