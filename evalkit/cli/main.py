"""The `evalkit` command: finds the file of a command, runs it, and turns errors into exit codes.

One file per command, imported only when it is called, so that `evalkit --help` stays quick.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import typer
import typer.core
import typer.main

import evalkit
from evalkit.errors import EvalkitError, UnknownName

COMMANDS = {
    "demo": "The whole pipeline on the built-in studio, offline; ends with a report.",
    "suite": "List, show, validate and start prompt suites.",
    "providers": "List providers and what is configured for them.",
    "plan": "What would run and what it could cost; sends nothing.",
    "run": "Run suites on systems; the same command continues a run.",
    "fakes": "Serve fake providers on this machine, to rehearse a run for nothing.",
    "score": "Add or refresh automatic scores; finished ones cost nothing.",
    "refusals": "How often prompts are refused, and what changed since another run.",
    "judge": "Let a vision-language model judge a run, within a budget.",
    "report": "Write one self-contained HTML report.",
    "serve-webhooks": "Receive webhooks of providers, so that runs ask sooner.",
    "study": "Define a blind human study over a run.",
    "rate": "Start the rater app of a study.",
    "votes": "Import, export and simulate votes.",
    "rank": "Leaderboards from votes: ratings, intervals, rank ranges, and what to trust.",
    "validity": "Do the metrics agree with people? Accuracy on votes, with chance and ceiling.",
    "sql": "Query the results with SQL, also while a run is going on.",
    "db": "Build the DuckDB database from the facts.",
    "weights": "List, fetch and verify model files.",
    "doctor": "Check this installation and say what is missing.",
}


class Commands(typer.core.TyperGroup):
    """Commands by name, each imported when it is first asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(f"evalkit.cli.{cmd_name.replace('-', '_')}").app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Guide: docs/user-guide.md. Exit codes: 0 done, 1 a gate failed, 2 wrong usage or input, "
    "3 finished with failures, 4 inconclusive, 5 budget reached, "
    "130 interrupted (run the same command again).",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"evalkit {evalkit.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Benchmark text-to-image and image-editing models: run suites, score, rate, compare, report."""
    del version


def main() -> None:
    """Entry point of the `evalkit` script."""
    # Boards are made of small matrices, on which threads cost more than they bring; torch has its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        _check_command(sys.argv[1:])
        app()
    except EvalkitError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command continues", err=True)
        sys.exit(130)


def _check_command(args: list[str]) -> None:
    """A better message than the parser's for a command that does not exist."""
    if args and not args[0].startswith("-") and args[0] not in COMMANDS:
        raise UnknownName("command", args[0], COMMANDS)
