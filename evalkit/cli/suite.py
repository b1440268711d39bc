"""`evalkit suite`: prompt suites, ours and yours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import note, out, show_json, show_table
from evalkit.cli.options import JsonOption
from evalkit.errors import SuiteProblems
from evalkit.suite import case_to_json, check_suite, find_suite, list_suites, load_suite, new_suite

if TYPE_CHECKING:
    from evalkit.suite.importers import Imported

app = make_app("Prompt suites.")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """The suites that come with evalkit."""
    rows = [
        {
            "suite": head.name,
            "version": head.version,
            "category": head.category,
            "cases": head.n_cases,
            "licence": head.licence,
            "description": f"cannot be read: {head.problem}" if head.problem else head.description,
        }
        for head in list_suites()
    ]
    show_table("Suites", rows, as_json=as_json, right=("cases",))


@app.command()
def show(
    suite: Annotated[str, typer.Argument(help="Name or folder.")],
    tag: Annotated[str | None, typer.Option("--tag", help="Only cases with this tag.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The cases of a suite."""
    loaded = load_suite(suite)
    cases = [case for case in loaded.cases if tag is None or tag in case.tags]
    if as_json:
        show_json([case_to_json(case) for case in cases])
        return
    rows = [
        {"case": c.id, "task": c.task, "ratio": c.aspect_ratio, "tags": c.tags, "prompt": c.prompt}
        for c in cases
    ]
    show_table(f"{loaded.name} {loaded.version} ({loaded.category}, {loaded.licence})", rows, as_json=False)


@app.command()
def validate(suites: Annotated[list[str], typer.Argument(help="Names or folders.")]) -> None:
    """Report every problem of the suites at once, with file and line."""
    broken = []
    for path in [find_suite(suite) for suite in suites]:
        problems = check_suite(path)
        if problems:
            broken.append(SuiteProblems(path.name, problems))
            note(f"error: {broken[-1].message}")
        else:
            out.print(f"{path.name}: no problems", markup=False)
    if broken:
        note(broken[0].hint)
        raise typer.Exit(SuiteProblems.exit_code)


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="Folder to make; its name is the suite's name.")],
    category: Annotated[
        str, typer.Option("--category", help="product, portrait, typography, ...")
    ] = "product",
) -> None:
    """Start a suite: a folder with two example cases that validates."""
    out.print(
        f"wrote {new_suite(path, category)}; edit cases.jsonl, then: evalkit suite validate {path}",
        markup=False,
    )


@app.command()
def formats(as_json: JsonOption = False) -> None:
    """The foreign formats that can be imported: whose they are, what files are needed."""
    from evalkit.suite.importers import importers

    rows = [
        {
            "format": name,
            "suite": kind.title,
            "size": kind.size,
            "licence": kind.licence.id,
            "may be passed on": "yes" if kind.licence.open else "no",
            "files": kind.needs,
            "from": kind.origin,
        }
        for name, kind in sorted(importers().items())
    ]
    show_table("Formats", rows, as_json=as_json)


@app.command("import")
def import_(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="One of: evalkit suite formats.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files that you downloaded, or folders of them.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to make; its name is the suite's name.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the suite; its folder is then made inside --output.")
    ] = None,
    category: Annotated[
        str | None,
        typer.Option("--category", help="Take what is for this category. [default: everything]"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Take cases with this tag or original category; may be repeated."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Take so many at most, by lot.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the lot: another seed takes others.")] = 0,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of source pictures. [default: beside the files]")
    ] = None,
    accept_licence: Annotated[
        str | None,
        typer.Option(
            "--accept-licence", help="The licence, by its id: you have read it and it allows your use."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a suite of files in a format of others; the files are yours, evalkit brings none."""
    from evalkit.suite.importers import Choice, Order, find_importer, import_suite

    importer = find_importer(format_)
    choice = Choice(category, tuple(only or ()), limit, seed)
    folder = output / name if name else output
    told = import_suite(Order(importer, tuple(paths), folder, choice, accept_licence, images))
    _tell(told, as_json)


def _tell(told: Imported, as_json: bool) -> None:
    from evalkit.suite.importers import counts

    if as_json:
        facts = {"suite": str(told.path), "format": told.format, "category": told.category}
        terms = {"licence": told.licence.id, "redistributable": told.licence.open}
        show_json({**facts, **terms, **counts(told), "examples": told.examples})
        return
    out.print(f"wrote {told.path}: {told.cases} cases of {told.read} records", markup=False, soft_wrap=True)
    _list_reasons("skipped", told.skipped, told.examples)
    _list_reasons("left out", told.left_out, told.examples)
    _list_reasons("note", told.notes, told.examples)
    if not told.licence.open:
        out.print(f"licence {told.licence.id}: do not pass this folder on", markup=False, soft_wrap=True)


def _list_reasons(what: str, reasons: Mapping[str, int], examples: Mapping[str, Sequence[str]]) -> None:
    for reason, number in reasons.items():
        named = examples.get(reason, ())
        more = ", ..." if number > len(named) else ""
        which = f" ({', '.join(named)}{more})" if named else ""
        out.print(f"  {what} {number}: {reason}{which}", markup=False, soft_wrap=True)
