"""The sections a report can have, one module each, found by name.

A section is a module with `build(context, options) -> Section | None` and a template of the same name.
Bundled ones are here and in `evalkit/report/templates`; a report definition may bring its own in a folder
`sections` beside it. See docs/extending/report-sections.md.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from evalkit.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from evalkit.report.context import Context


@dataclass(frozen=True, slots=True)
class Section:
    """What a section has to say: a title, what its template needs, and the same for machines.

    `results` must be JSON-able; it goes to the file beside the report under the section's name.
    """

    title: str
    data: Mapping[str, Any] = field(default_factory=dict)
    results: Any = None


class Builder(Protocol):
    """Builds one section, or returns None where there is nothing to say."""

    def __call__(self, context: Context, options: Mapping[str, Any]) -> Section | None: ...


def builder(name: str, folder: Path | None) -> Builder:
    """The `build` function of the section `name`. Raises `UnknownName` or `InvalidInput`."""
    own = folder / "sections" / f"{name}.py" if folder else None
    if own is not None and own.is_file():
        module = _from_file(own)
    elif name in _bundled():
        module = importlib.import_module(f"{__name__}.{name}")
    else:
        raise UnknownName("report section", name, [*_bundled(), *_own(folder)])
    build = getattr(module, "build", None)
    if not callable(build):
        raise InvalidInput(
            f"the section {name!r} has no build function", "See docs/extending/report-sections.md"
        )
    return cast(Builder, build)


def _bundled() -> list[str]:
    return [found.name for found in pkgutil.iter_modules(__path__)]


def _own(folder: Path | None) -> list[str]:
    return [found.stem for found in (folder / "sections").glob("*.py")] if folder else []


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"evalkit_report_section_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path} cannot be loaded as a section")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
