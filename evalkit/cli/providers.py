"""`evalkit providers`: who can be asked for pictures."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import show_table
from evalkit.cli.options import JsonOption
from evalkit.errors import UnknownName
from evalkit.providers.systems import providers

app = make_app("Who can be asked for pictures.")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every provider, and which of its keys are set (names only, never values)."""
    rows = [
        {"provider": name, "needs": cls.env or None, "ready": _ready(cls.env), "what": cls.summary}
        for name, cls in sorted(providers().items())
    ]
    show_table("Providers", rows, as_json=as_json)


@app.command()
def show(
    provider: Annotated[str, typer.Argument(help="Name of a provider.")], as_json: JsonOption = False
) -> None:
    """The models of a provider."""
    known = providers()
    if provider not in known:
        raise UnknownName("provider", provider, known)
    models = known[provider].models()
    rows = [{"system": f"{provider}:{model}", "what": what} for model, what in models.items()]
    show_table(known[provider].summary, rows, as_json=as_json)


def _ready(env: tuple[str, ...]) -> str:
    missing = [name for name in env if not os.environ.get(name)]
    return "yes" if not missing else f"set {', '.join(missing)}"
