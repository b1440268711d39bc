"""`evalkit judge`: let a vision-language model judge the pictures of a run, within a budget."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, dollars, note, show_json, show_table
from evalkit.cli.options import AssumePriceOption, JsonOption, RunArgument, WorkspaceOption, usd
from evalkit.cli.rehearsal import rehearsal
from evalkit.cli.run import show_report as show_run
from evalkit.errors import UsageError, WorkspaceError
from evalkit.judge.anchors import REPEATS
from evalkit.judge.judges import parse_judge
from evalkit.judge.pairs import WinRate
from evalkit.judge.questions import KINDS, read_kinds
from evalkit.judge.session import JudgeReport, Places, Quoted, Session, Wish
from evalkit.providers.base import Settings
from evalkit.runner.execute import RunOptions
from evalkit.runs import load_plan
from evalkit.store import Workspace

app = make_app()


@app.command()
def judge(
    run: RunArgument = None,
    model: Annotated[
        str, typer.Option("--judge", "-j", help="Who judges: provider:model, e.g. openai-chat:gpt-4.1-mini.")
    ] = "",
    questions: Annotated[
        str, typer.Option("--questions", "-q", help=f"What is asked: any of {','.join(KINDS)}.")
    ] = "yes-no,rubric",
    budget: Annotated[
        str | None, typer.Option("--budget", help="Most that may be spent, in US dollars.")
    ] = None,
    cases: Annotated[str, typer.Option("--cases", help="Only these cases, separated by commas.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N cases.")] = None,
    anchor_repeats: Annotated[
        int, typer.Option("--anchor-repeats", min=0, help="How often each anchor is asked; 0 for none.")
    ] = REPEATS,
    occasion: Annotated[
        str, typer.Option("--occasion", help="Ask the anchors anew under this name, e.g. a date.")
    ] = "",
    quote: Annotated[bool, typer.Option("--quote", help="Only say what would be asked and cost.")] = False,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, help="Most questions at a time.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option("--deadline", min=1, help="Seconds until an answer is given up.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again where the answer was a failure.")
    ] = False,
    resubmit_unknown: Annotated[
        bool, typer.Option("--resubmit-unknown", help="Send again what may have been billed; may pay twice.")
    ] = False,
    assume_price: AssumePriceOption = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Ask a fake judge on this machine, for nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before paying twice.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a vision-language model judge a run. The same command continues and asks nothing twice."""
    if not model:
        raise UsageError("nobody is to judge", "Name a model: --judge openai-chat:gpt-4.1-mini")
    chosen = tuple(name.strip() for name in cases.split(",") if name.strip())
    wish = Wish(parse_judge(model), read_kinds(questions), chosen, limit, anchor_repeats, occasion)
    settings = Settings(assume_price=usd(assume_price, "--assume-price"), deadline=deadline)
    options = RunOptions(concurrency, usd(budget, "--budget"), retry_failed, resubmit_unknown)
    with _places(workspace, run, rehearse=rehearse) as (places, name), TerminalProgress() as progress:
        session = Session(places, load_plan(places.pictures, name), wish, settings, progress)
        quoted = session.quote(options)
        _show_quote(session, quoted, as_json=as_json and quote)
        if quote:
            raise typer.Exit(0)
        if rehearse and options.budget is None:
            options = replace(options, budget=quoted.spent + quoted.worst)
        _confirm(session, options, yes=yes)
        report = session.run(options, progress)
    _show(report, quoted, as_json=as_json)
    raise typer.Exit(report.ran.exit_code)


@contextlib.contextmanager
def _places(workspace: Path | None, run: str | None, *, rehearse: bool) -> Iterator[tuple[Places, str]]:
    """Where pictures are and answers go, and the run. A rehearsal looks at real pictures, too."""
    if not rehearse:
        opened = Workspace.open(workspace, create=False)
        yield Places(opened, opened), opened.run_id(run)
        return
    with rehearsal(workspace) as aside:
        real = Workspace.open(workspace, create=False)
        try:
            yield Places(real, aside), real.run_id(run)
        except WorkspaceError:
            yield Places(aside, aside), aside.run_id(run)


def _show_quote(session: Session, quoted: Quoted, *, as_json: bool) -> None:
    if as_json:
        show_json(_quote_json(session.judged.run, session.wish.judge.spec, quoted))
        return
    known = f", {quoted.answered} of them answered already" if quoted.answered else ""
    anchors = f"; {quoted.anchors} are anchors" if quoted.anchors else ""
    note(f"{quoted.questions} questions to {session.wish.judge.spec}{known}{anchors}.")
    if quoted.worst > 0:
        part = f" ({dollars(quoted.for_anchors)} of it for anchors)" if quoted.for_anchors else ""
        cost = f"expected to cost {dollars(quoted.expected)}{part}, at most {dollars(quoted.worst)}"
        note(f"{quoted.to_ask} to send: {cost}.")
    elif quoted.to_ask:
        note(f"{quoted.to_ask} to send, for nothing.")
    if quoted.spent:
        note(f"Spent so far: {dollars(quoted.spent)}, counted at its worst where nobody knows.")


def _confirm(session: Session, options: RunOptions, *, yes: bool) -> None:
    unknown = session.unknown() if options.resubmit_unknown else []
    if not unknown:
        return
    worst = dollars(sum((trial.usd for trial in unknown), Decimal(0)))
    note(f"Questions that may have been billed already: {len(unknown)}. Sending them again may cost {worst}.")
    if sys.stdin.isatty() and not yes and not typer.confirm("Send them again?"):
        raise UsageError("nothing was sent", "Leave out --resubmit-unknown to keep them as they are.")


def _show(report: JudgeReport, quoted: Quoted, *, as_json: bool) -> None:
    if as_json:
        show_json(_report_json(report, quoted))
        return
    show_run(report.ran, as_json=False)
    show_table(f"What {report.judge} said of {report.run}", _scores(report), as_json=False, right=("scored",))
    if report.win_rates:
        rates = [_win_row(rate) for rate in report.win_rates]
        show_table("Pairs, won only in both orders", rates, as_json=False, right=("won", "lost", "tied"))
    if report.drifts:
        show_table("Anchors: is it still the judge it was?", _drifts(report), as_json=False)
    if len(report.models) > 1:
        names = ", ".join(f"{name} ({count})" for name, count in report.models.most_common())
        note(f"warning: answers came from several models: {names}")
    for drift in report.drifts:
        if drift.verdict == "drift" and drift.shift is not None:
            moved = f"{drift.output} ({drift.template}) has moved by {drift.shift:+.2f} of 10"
            note(f"warning: {moved} since {drift.since[:10]}: compare no scores across that")


def _scores(report: JudgeReport) -> list[dict[str, object]]:
    outputs = sorted({*report.tally.scored, *report.tally.nulls})
    return [
        {
            "score": output,
            "scored": report.tally.scored[output],
            "missing": ", ".join(
                f"{reason} x{count}" for reason, count in sorted(report.tally.nulls.get(output, {}).items())
            )
            or None,
        }
        for output in outputs
    ]


def _win_row(rate: WinRate) -> dict[str, object]:
    found = rate.rate
    interval = (
        f"{found.low:.2f} to {found.high:.2f}" if found.low is not None and found.high is not None else None
    )
    return {
        "category": rate.category,
        "a": rate.a,
        "b": rate.b,
        "won": rate.wins,
        "lost": rate.losses,
        "tied": rate.ties,
        "win rate of a": None if found.value is None else f"{found.value:.2f}",
        "95 %": interval or found.note,
        "settled": f"{found.n}/{found.n_expected}",
        "flips": None if rate.flip_rate is None else f"{rate.flip_rate:.0%}",
    }


def _drifts(report: JudgeReport) -> list[dict[str, object]]:
    return [
        {
            "number": drift.output,
            "template": drift.template,
            "verdict": drift.verdict,
            "anchors": drift.items,
            "shift of 10": None if drift.shift is None else f"{drift.shift:+.2f}",
            "would see": None if drift.detectable is None else f"{drift.detectable:.2f}",
            "since": drift.since[:10] or None,
            "good above bad": None if drift.right is None else f"{drift.right:.0%}",
        }
        for drift in report.drifts
    ]


def _quote_json(run: str, judge_name: str, quoted: Quoted) -> dict[str, Any]:
    return {
        "run": run,
        "judge": judge_name,
        "questions": quoted.questions,
        "anchors": quoted.anchors,
        "answered": quoted.answered,
        "to_ask": quoted.to_ask,
        "expected_usd": str(quoted.expected),
        "worst_usd": str(quoted.worst),
        "expected_for_anchors_usd": str(quoted.for_anchors),
        "spent_before_usd": str(quoted.spent),
    }


def _report_json(report: JudgeReport, quoted: Quoted) -> dict[str, Any]:
    ran = report.ran
    statuses = sorted({*ran.made, *ran.reused})
    return {
        **_quote_json(report.run, report.judge, quoted),
        "judging": ran.run,
        "outcomes": [{"outcome": s, "now": ran.made[s], "before": ran.reused[s]} for s in statuses],
        "open": ran.open,
        "asked": ran.asked,
        "spent_usd": str(ran.spent_usd),
        "stopped": ran.stopped,
        "unknown": [asdict(trial) | {"usd": str(trial.usd)} for trial in ran.unknown],
        "interrupted": ran.interrupted,
        "models": dict(report.models),
        "scores": [
            {
                "score": output,
                "scored": report.tally.scored[output],
                "missing": dict(report.tally.nulls.get(output, {})),
            }
            for output in sorted({*report.tally.scored, *report.tally.nulls})
        ],
        "pairs": [asdict(rate) | {"flip_rate": rate.flip_rate} for rate in report.win_rates],
        "drift": [asdict(drift) for drift in report.drifts],
    }
