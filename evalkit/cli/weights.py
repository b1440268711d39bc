"""`evalkit weights`: model files that metrics need."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, out, show_table
from evalkit.cli.options import JsonOption
from evalkit.errors import WeightsMissing
from evalkit.weights import store
from evalkit.weights.openclip import pulled
from evalkit.weights.registry import Entry, entries

app = make_app("Model files that metrics need.")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """What can be fetched, what it is for, and what is on this machine."""
    rows = [
        {
            "name": name,
            "MB": entry.megabytes or None,
            "here": _here(name),
            "licence": entry.licence,
            "for": entry.purpose,
        }
        for name, entry in _shown().items()
    ]
    show_table("Weights", rows, as_json=as_json, right=("MB",))


@app.command()
def pull(
    names: Annotated[
        list[str],
        typer.Argument(help="From: evalkit weights list; or clip:MODEL:TAG by open_clip's names."),
    ],
) -> None:
    """Fetch model files, continuing a cut-off download, and check them."""
    for name in names:
        with TerminalProgress() as progress:
            path = store.pull(name, progress)
        out.print(f"{name}: {path}", markup=False, soft_wrap=True)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="[default: all that are here]")] = None,
) -> None:
    """Read model files byte by byte and compare their digests."""
    for name in names or [name for name in _shown() if _here(name)]:
        found = store.verify(name)
        out.print(f"{name}: {found.sha256} ({found.trust})", markup=False, soft_wrap=True)


def _shown() -> dict[str, Entry]:
    """Every model of the registry, and what else was fetched to this machine."""
    return {**entries(), **{entry.name: entry for entry in pulled()}}


def _here(name: str) -> str:
    try:
        return str(store.locate(name))
    except WeightsMissing:
        return ""
