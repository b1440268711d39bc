"""`evalkit suite`: prompt suites, ours and yours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import note, out, show_json, show_table
from evalkit.cli.options import JsonOption
from evalkit.errors import SuiteProblems
from evalkit.suite import case_to_json, check_suite, find_suite, list_suites, load_suite, new_suite

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
