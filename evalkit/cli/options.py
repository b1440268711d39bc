"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run. [default: the newest]")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes. [default: one per processor]")
]
