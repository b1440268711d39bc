"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from evalkit.errors import UsageError

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        help="Folder of runs, scores and votes. [default: $EVALKIT_WORKSPACE or ./evalkit-workspace]",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SuitesArgument = Annotated[list[str], typer.Argument(metavar="SUITE...", help="Names or folders of suites.")]
SystemsOption = Annotated[
    list[str],
    typer.Option(
        "--system",
        "-s",
        help="[label=]provider:model[?param=value], e.g. studio:clean or mine=folder:pictures/.",
    ),
]
ReplicatesOption = Annotated[int, typer.Option("--replicates", min=1, help="Pictures per case and system.")]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the run. [default: the suites and a digest of the plan]")
]
AssumePriceOption = Annotated[
    str | None,
    typer.Option("--assume-price", help="US dollars per picture, for models whose price nobody publishes."),
]
AllowDegradeOption = Annotated[
    bool,
    typer.Option("--allow-degrade", help="Ask for the nearest thing a model can do, and mark it as such."),
]
RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run. [default: the newest]")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes. [default: one per processor]")
]


def usd(text: str | None, option: str) -> Decimal | None:
    """An amount of an option, `2.50` or `$2.50`. Raises `UsageError`."""
    if text is None:
        return None
    try:
        amount = Decimal(text.lstrip("$"))
    except InvalidOperation as error:
        raise UsageError(f"{option} {text!r} is not an amount", f"For example: {option} 2.50") from error
    if not amount.is_finite() or amount < 0:
        raise UsageError(f"{option} {text!r} is not an amount", f"For example: {option} 2.50")
    return amount
