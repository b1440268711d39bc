"""Which providers are known: descriptions read from TOML, ours and those named by `EVALKIT_PROVIDERS`.

The keys of a file are the fields of `evalkit.remote.spec`: `[provider]` is a `Spec`, `[provider.auth]`,
`[provider.out]` and `[[provider.rule]]` are what it holds, `[submit.t2i]` and `[submit.edit]` are its
requests, `[[model]]` its models. Reading tables into dataclasses is for `tables`, what makes sense together
for `checks`, and accounts for `accounts`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.remote.accounts import Account, account, missing
from evalkit.remote.checks import check_spec
from evalkit.remote.spec import Model, Spec
from evalkit.remote.tables import Problems, read_table
from evalkit.types import Task

__all__ = ["Account", "account", "find_model", "missing", "read_spec", "specs"]

VARIABLE = "EVALKIT_PROVIDERS"
CATALOG = Path(__file__).resolve().parent.parent / "providers" / "catalog"
_PARTS = ("provider", "submit", "model")
_KEYS = {"provider.submit": "submit", "provider.models": "model", "provider.rules": "provider.rule"}


def read_spec(path: Path) -> Spec:
    """The description in a TOML file. Raises `InvalidInput` that lists every problem with its key."""
    problems = Problems(_KEYS)
    spec = read_table(Spec, _as_spec(_parse(path), problems), "provider", problems)
    if spec is not None and not problems:
        check_spec(spec, problems)
    if spec is None or problems:
        listing = "\n".join(f"  {problem}" for problem in problems)
        raise InvalidInput(
            f"{path} does not describe a provider:\n{listing}",
            "docs/extending/providers.md explains each key.",
        )
    return spec


def specs() -> Mapping[str, Spec]:
    """Every description, by name. Raises `InvalidInput` for one that cannot be read, or a name used twice."""
    return _read_all(os.environ.get(VARIABLE, ""))


def find_model(spec: Spec, model: str, task: Task) -> Model:
    """The row for a model's id, or for its family, or for any model (`*`), and a task.

    Raises `UnknownName` for a model that is not there, `UsageError` for one that is there for the other
    task only, or where several rows of a family would do.
    """
    rows = [row for row in spec.models if row.id == model] or [
        row for row in spec.models if row.family == model and row.family
    ]
    fitting = [row for row in rows if row.task == task]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) > 1:
        ids = " or ".join(row.id for row in fitting)
        raise UsageError(f"{spec.name}:{model} may be several models", f"Say which one: {ids}.")
    if rows:
        raise _other_task(spec, model, task, rows)
    for row in spec.models:
        if row.id == "*" and row.task == task:
            return row
    known = {name for row in spec.models for name in (row.id, row.family) if name and row.id != "*"}
    raise UnknownName(f"model of {spec.name} ({task})", model, known)


def _other_task(spec: Spec, model: str, task: Task, rows: list[Model]) -> UsageError:
    families = {row.family for row in rows if row.family}
    others = [row.id for row in spec.models if row.task == task and row.family in families]
    hint = f"For {task}: {', '.join(others)}." if others else "Choose another model, or a suite of its task."
    return UsageError(f"{spec.name}:{model} does {rows[0].task}, not {task}", hint)


@lru_cache(maxsize=8)
def _read_all(paths: str) -> Mapping[str, Spec]:
    found: dict[str, Spec] = {}
    origin: dict[str, Path] = {}
    for path in (*sorted(CATALOG.glob("*.toml")), *_others(paths)):
        spec = read_spec(path)
        if spec.name in found:
            raise InvalidInput(
                f"{path} describes {spec.name!r}, and so does {origin[spec.name]}",
                f"Give yours another name, or take it out of {VARIABLE}.",
            )
        found[spec.name], origin[spec.name] = spec, path
    return found


def _others(paths: str) -> Iterator[Path]:
    for entry in paths.split(os.pathsep):
        if not entry.strip():
            continue
        path = Path(entry.strip()).expanduser()
        if path.is_dir():
            yield from sorted(path.glob("*.toml"))
        elif path.is_file():
            yield path
        else:
            raise InvalidInput(f"{VARIABLE} names {path}, which is not there", "Correct it, or unset it.")


def _parse(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}", "Correct it at that line.") from error


def _as_spec(document: Mapping[str, object], problems: Problems) -> dict[str, object]:
    """The document as one table with the fields of `Spec`."""
    for key in document:
        if key not in _PARTS:
            problems.unknown("", key, _PARTS)
    provider = document.get("provider", {})
    if not isinstance(provider, Mapping):
        problems.add("provider", "must be a table")
        provider = {}
    for key in ("rules", "submit", "models"):
        if key in provider:
            problems.add("provider", f"unknown key {key}; write [[provider.rule]], [submit.t2i], [[model]]")
    own = {("rules" if key == "rule" else key): value for key, value in provider.items()}
    return {**own, "submit": document.get("submit", {}), "models": document.get("model", [])}
