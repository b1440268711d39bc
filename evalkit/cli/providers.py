"""`evalkit providers`: who can be asked for pictures, whether the keys work, and what is not documented."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from evalkit.cli.app import make_app
from evalkit.cli.catalogue import (
    account_lines,
    cheapest,
    models_of,
    row_json,
    row_lines,
    summary_row,
    tasks_of,
)
from evalkit.cli.checking import Checked, check_all
from evalkit.cli.console import TerminalProgress, note, out, show_json, show_table
from evalkit.cli.options import AssumePriceOption, JsonOption, WorkspaceOption, usd
from evalkit.cli.probing import show_facts, show_report, show_steps
from evalkit.cli.rehearsal import rehearsal
from evalkit.errors import LaneStopped, UnknownName, UsageError
from evalkit.providers.base import Provider, Settings
from evalkit.providers.catalogued import Catalogued
from evalkit.providers.systems import parse_system, providers
from evalkit.remote.catalog import account
from evalkit.remote.spec import Model, Spec
from evalkit.runner.probing import Fact, Probe, Target, place, read_facts
from evalkit.store import Workspace
from evalkit.types import TASKS, System, Task

app = make_app("Who can be asked for pictures, for how much, and whether the keys work.")

ProviderArgument = Annotated[str, typer.Argument(metavar="PROVIDER", help="See: evalkit providers list")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every provider: what has to be set first (names, never values), what it does, and from what price."""
    known = sorted(providers().items())
    if as_json:
        show_json([_listed_json(name, cls) for name, cls in known])
        return
    show_table("", [_listed(name, cls) for name, cls in known], as_json=False, right=("from USD",))
    for name, cls in known:
        if there := _moved_to(cls):
            note(f"{name} is moved to {there}")
    note("Models and prices: evalkit providers show PROVIDER. Do the keys work: evalkit providers check.")


@app.command()
def show(
    provider: ProviderArgument,
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Everything about one model, by its id or family.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Models, shapes, limits and prices as documented, and what a probe has observed.

    Prices are those of one square picture and a prompt of 200 characters; MODEL shows how they come about.
    """
    cls = _known(provider)
    if not issubclass(cls, Catalogued):
        rows = [{"system": f"{provider}:{name}", "what": what} for name, what in cls.models().items()]
        show_table(cls.summary, rows, as_json=as_json)
        return
    spec = cls.spec
    rows_shown = [row for row in spec.models if model in (None, row.id, row.family)]
    if not rows_shown:
        raise UnknownName(f"model of {provider}", str(model), {row.id for row in spec.models})
    facts = _facts(spec, rows_shown if model else spec.models, Workspace.place(workspace))
    if as_json:
        show_json(_shown_json(spec, cls.missing(), rows_shown, facts))
    elif model is None:
        _show_provider(spec, cls.missing(), facts)
    else:
        _show_models(spec, rows_shown, facts)


@app.command()
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROVIDER...]",
            help="Providers, or systems such as comfyui:flow.json. [default: all set up]",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Do the accounts work? Asks each provider something that is free; exits with 3 if one does not.

    Without names, those that are not set up are listed and count as nothing wrong.
    """
    for name in names or ():
        _known(name.partition(":")[0])
    checked = asyncio.run(check_all(names or sorted(providers()), named=bool(names)))
    show_table("", [_checked_row(one) for one in checked], as_json=as_json)
    raise typer.Exit(LaneStopped.exit_code if any(one.failed for one in checked) else 0)


@app.command()
def probe(
    provider: ProviderArgument,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Model, as behind the colon of a system. [default: the catalogue's first with a price]",
        ),
    ] = "",
    task: Annotated[
        str | None, typer.Option("--task", help="t2i or edit. [default: both, where there are both]")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Most that may be spent, in US dollars.")
    ] = None,
    all_ratios: Annotated[
        bool, typer.Option("--all-ratios", help="One picture of every shape, not of two.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again where the answer was a failure.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Ask everything anew, and pay for it, as answers grow old.")
    ] = False,
    assume_price: AssumePriceOption = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Ask fake providers on this machine, for nothing.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find out what is not documented by a few small requests, and keep the answers with their date.

    Free questions come first; if the account does not work, nothing else is sent. Without --budget it only
    says what it would send. A request is never sent twice: the same command goes on where it stopped.
    """
    scene = rehearsal(workspace) if rehearse else contextlib.nullcontext(None)
    with scene as rehearsed:
        root = rehearsed.root if rehearsed else Workspace.place(workspace)
        target = Target(_target(provider, model), _task(task), all_ratios, again)
        made = Probe(root, target, Settings(assume_price=usd(assume_price, "--assume-price")))
        limit = made.worst if rehearse and budget is None else usd(budget, "--budget")
        if not as_json:
            show_steps(made)
        with TerminalProgress() as progress:
            report = made.run(limit, retry_failed=retry_failed, progress=progress)
        show_report(made, report, as_json)
    raise typer.Exit(report.exit_code)


def _known(name: str) -> type[Provider]:
    known = providers()
    if name not in known:
        raise UnknownName("provider", name, known)
    return known[name]


def _listed(name: str, cls: type[Provider]) -> dict[str, object]:
    missing = cls.missing()
    row: dict[str, object] = {"provider": name, "ready": f"needs {missing}" if missing else "yes"}
    if not issubclass(cls, Catalogued):
        return row | {
            "tasks": "-",
            "models": str(len(cls.models()) or "any"),
            "from USD": "free" if cls.quote is Provider.quote else "?",
            "what": cls.summary,
        }
    spec = cls.spec
    return row | {
        "tasks": tasks_of(spec),
        "models": models_of(spec),
        "from USD": cheapest(spec),
        "what": spec.summary,
    }


def _listed_json(name: str, cls: type[Provider]) -> dict[str, object]:
    spec = cls.spec if issubclass(cls, Catalogued) else None
    price = cheapest(spec) if spec else "free" if cls.quote is Provider.quote else "?"
    return {
        "provider": name,
        "needs": list(cls.env),
        "missing": cls.missing() or None,
        "ready": not cls.missing(),
        "tasks": tasks_of(spec).split(", ") if spec else None,
        "models": [row.id for row in spec.models] if spec else list(cls.models()),
        "from_usd": {"?": None, "free": "0"}.get(price, price),
        "moved_to": _moved_to(cls),
        "what": cls.summary,
    }


def _moved_to(cls: type[Provider]) -> str | None:
    """Where the environment moves a provider; a setting that is no address is for `check` to report."""
    if not issubclass(cls, Catalogued):
        return None
    try:
        found = account(cls.spec)
    except UsageError as error:
        return f"nowhere: {error.message}"
    return found.base if found.moved else None


def _facts(spec: Spec, rows: Sequence[Model], root: Path) -> list[Fact]:
    """Those that were observed where the provider is reached now, and about these models."""
    at, names = place(account(spec)), {row.id for row in rows}
    others = "*" in names
    return [
        fact
        for fact in read_facts(root, spec.name)
        if (fact.at == at or spec.base_is_model) and (others or fact.row in names or not fact.model)
    ]


def _show_provider(spec: Spec, missing: str, facts: Sequence[Fact]) -> None:
    out.print(spec.summary, style="bold", markup=False, soft_wrap=True)
    _show_lines(dict(account_lines(spec, missing)))
    out.print()
    _show_models_table([summary_row(row) for row in spec.models])
    _show_facts(spec, facts)
    note(f"Notes, parameters and sources of one: evalkit providers show {spec.name} MODEL")


def _show_models_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Ids stay in one piece, so that they can be copied."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in rows[0]:
        right = name == "price USD"
        table.add_column(name, no_wrap=name == "model", justify="right" if right else "left")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    out.print(table)


def _show_models(spec: Spec, rows: Sequence[Model], facts: Sequence[Fact]) -> None:
    for row in rows:
        out.print(f"{spec.name}:{row.id} ({row.task})", style="bold", markup=False, soft_wrap=True)
        _show_lines(dict(row_lines(row)))
        out.print()
    _show_facts(spec, facts)


def _show_lines(lines: Mapping[str, str]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(f"  {name}", escape(value))
    out.print(table)


def _show_facts(spec: Spec, facts: Sequence[Fact]) -> None:
    show_facts(spec, facts)
    if not facts:
        note(f"Nothing has been observed yet: evalkit providers probe {spec.name}")


def _shown_json(spec: Spec, missing: str, rows: Sequence[Model], facts: Sequence[Fact]) -> dict[str, object]:
    found = account(spec)
    return {
        "provider": spec.name,
        "what": spec.summary,
        "missing": missing or None,
        "base": found.base or None,
        "moved": found.moved,
        "source": spec.source or None,
        "dated": spec.dated or None,
        "models": [row_json(row) for row in rows],
        "observed": [asdict(fact) for fact in facts],
    }


def _checked_row(one: Checked) -> dict[str, object]:
    return {"provider": one.name, "account": one.state, "what was seen": one.message}


def _task(text: str | None) -> Task | None:
    if text is None:
        return None
    found = next((task for task in TASKS if task == text), None)
    if found is None:
        raise UsageError(f"--task {text!r} is no task", f"It is {' or '.join(TASKS)}.")
    return found


def _target(provider: str, model: str) -> System:
    _known(provider)
    return parse_system(f"{provider}:{model}") if model else System(provider, "")
