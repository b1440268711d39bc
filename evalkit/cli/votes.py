"""`evalkit votes`: votes in and out of files, and votes that people did not give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import note, out, show_json
from evalkit.cli.options import JsonOption, WorkspaceOption
from evalkit.errors import UsageError
from evalkit.store import Workspace

if TYPE_CHECKING:
    from evalkit.study.votefiles import Imported

app = make_app("Votes: import, export, simulate.")


@app.callback()
def _group() -> None:
    """Votes: from files, to files, simulated."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, JSON lines, a JSON list, or Parquet.", metavar="FILE")],
    study: Annotated[
        str, typer.Option("--study", help="Name of the imported study; made if it is not there.")
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="OURS=THEIRS", help="Which of the file's columns is which; OURS= for none."
        ),
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option("--criterion", help="What the votes are about, where the file does not say. [overall]"),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Of the study.")] = "",
    known_systems: Annotated[
        str | None, typer.Option("--known-systems", metavar="A,B,...", help="Systems that may occur.")
    ] = None,
    systems_file: Annotated[
        Path | None, typer.Option("--systems-file", help="Systems that may occur, one on each line.")
    ] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Import the rest, and list what was left out.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import votes or rankings that were given elsewhere, all of a file or nothing."""
    from evalkit.study.votefiles import ImportOptions, import_votes

    options = ImportOptions(
        columns=dict(_pair(text) for text in mapping or ()),
        criterion=criterion,
        title=title,
        systems=_systems(known_systems, systems_file),
        skip_bad_rows=skip_bad_rows,
    )
    done = import_votes(Workspace.open(workspace), file, study, options)
    if as_json:
        show_json(asdict(done))
        return
    for line in _report(done, file.name):
        out.print(line, markup=False, soft_wrap=True)
    for line in _warnings(done):
        note(line)


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="Name of a study.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="FILE.csv, FILE.jsonl or FILE.parquet.", metavar="FILE")
    ],
    criterion: Annotated[
        str | None, typer.Option("--criterion", help="Only answers to this question.")
    ] = None,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Pseudonyms for raters and sessions, always the same ones.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the votes of a study to a file, and a data card beside it."""
    from evalkit.study.votefiles import ExportOptions, export_votes

    opened = Workspace.open(workspace, create=False)
    done = export_votes(opened, study, output, ExportOptions(criterion, anonymise))
    rankings = f" and {done.rankings} rankings" if done.rankings else ""
    files = ", ".join(str(path) for path in (*done.files, done.card))
    out.print(f"{done.answers} answers{rankings} of study {study}: {files}", markup=False, soft_wrap=True)


@app.command()
def simulate(
    study: Annotated[str, typer.Argument(help="Name of a study.")],
    utility: Annotated[
        list[str],
        typer.Option(
            "--utility", "-u", help="SYSTEM=WORTH, one for each system; a difference of 1 wins 73 %."
        ),
    ],
    votes: Annotated[int, typer.Option("--votes", min=1, help="Ballots to cast.")] = 200,
    raters: Annotated[int, typer.Option("--raters", min=1, help="Simulated raters.")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Of the simulation.")] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    """Cast simulated ballots through the service raters use; they stay marked as simulated."""
    from evalkit.study.simulate import Panel, simulate_votes

    opened = Workspace.open(workspace, create=False)
    worth = dict(_utility(text) for text in utility)
    cast = simulate_votes(opened, study, worth, Panel(raters=raters, votes=votes, seed=seed))
    out.print(f"{cast} simulated ballots in study {study}", markup=False)


def _utility(text: str) -> tuple[str, float]:
    system, equals, worth = text.rpartition("=")
    try:
        return system, float(worth if equals and system else "")
    except ValueError as error:
        raise UsageError(
            f"--utility {text!r} is not SYSTEM=WORTH", "For example: -u studio:clean=1.0"
        ) from error


def _pair(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not ours:
        raise UsageError(f"--map {text!r} is not OURS=THEIRS", "For example: --map rater=annotator")
    return ours, theirs


def _systems(listed: str | None, file: Path | None) -> list[str] | None:
    if listed is None and file is None:
        return None
    if file is not None and not file.is_file():
        raise UsageError(
            f"there is no file {file}", "--systems-file takes a text file, one system on each line."
        )
    lines = (listed or "").split(",") + (file.read_text("utf-8").splitlines() if file else [])
    return [name.strip() for name in lines if name.strip()]


def _report(done: Imported, file: str) -> list[str]:
    what = "rankings" if done.kind == "rankings" else "answers"
    if done.same_file:
        return [f"{file} is in study {done.study} already; nothing was added"]
    read = ", ".join(f"{ours} = {theirs}" for ours, theirs in done.columns.items())
    counts = ", ".join(f"{n} {answer}" for answer, n in done.answers.items() if n)
    known = (
        (done.added, f"{done.added} {what} added to study {done.study}" + (f": {counts}" if counts else "")),
        (not done.added, f"nothing new for study {done.study}"),
        (done.there, f"{done.there} were there already"),
        (done.repeated, f"{done.repeated} rows say what another row of the file says: counted once"),
        (True, f"columns: {read}"),
        (done.kept, f"kept in extra: {', '.join(done.kept)}"),
        (done.dropped, f"left out, too long or empty: {', '.join(done.dropped)}"),
        (True, f"{len(done.systems)} systems: {_some(done.systems)}"),
    )
    return [line for holds, line in known if holds]


def _warnings(done: Imported) -> list[str]:
    known = (
        (
            done.no_rater,
            f"{done.no_rater} of {done.added} rows do not say whose they are. Intervals cannot know how "
            "raters differ: they are too narrow if few people gave many answers.",
        ),
        (
            done.no_case,
            f"{done.no_case} of {done.added} rows do not say what was asked. Intervals take each for a "
            "prompt of its own: they are too narrow if few prompts got many answers.",
        ),
        (
            done.added and not done.own_ids,
            "The file has no ids of votes. A longer version of it would count its rows once more: import "
            "that into a study of another name.",
        ),
        (done.left_out, "left out:" + "".join(f"\n  {fault}" for fault in done.left_out)),
    )
    return [line for holds, line in known if holds]


def _some(names: Sequence[str], shown: int = 12) -> str:
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
