"""The page around the sections: templates, style and escaping.

Everything that comes from prompts, providers or raters is escaped by Jinja, after control characters have
been taken out; only our own SVG and style are marked safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evalkit.remote.redact import visible
from evalkit.report.context import Context
from evalkit.report.definition import Definition
from evalkit.report.formats import FILTERS
from evalkit.report.notices import notices
from evalkit.report.sections import Section

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Part:
    """A section under its name."""

    name: str
    section: Section


def page(context: Context, definition: Definition, parts: Sequence[Part]) -> str:
    """The whole HTML document."""
    environment = _environment(definition.folder)
    bodies = [
        (part, Markup(environment.get_template(f"{part.name}.html").render(**_given(context, part))))
        for part in parts
    ]
    style = Markup((TEMPLATES / "style.css").read_text("utf-8"))
    return environment.get_template("page.html").render(
        title=definition.title, bodies=bodies, style=style, context=context, notices=notices(context)
    )


def _given(context: Context, part: Part) -> dict[str, object]:
    return {"context": context, "colours": context.colours, **part.section.data}


def _environment(folder: Path | None) -> Environment:
    places = [TEMPLATES, *([folder / "sections"] if folder else [])]
    environment = Environment(
        loader=FileSystemLoader(places),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def _finalize(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
