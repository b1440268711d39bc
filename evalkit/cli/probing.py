"""What a probe will send, and what came of it, as tables or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

from evalkit.cli.catalogue import observed_tables
from evalkit.cli.console import note, out, show_json, show_table
from evalkit.remote.spec import Spec
from evalkit.runner.probing import Fact, Probe, ProbeReport


def show_facts(spec: Spec, facts: Sequence[Fact]) -> None:
    """What has been observed, a table for each model and task."""
    for title, rows in observed_tables(spec, facts).items():
        show_table(title, rows, as_json=False)
        out.print()


def show_steps(made: Probe) -> None:
    """What will be sent, and the most it can cost."""
    answers = made.answers()
    rows = [
        {
            "step": planned.step.name,
            "model": made.name_of(planned),
            "question": planned.step.question,
            "at most USD": "done" if answers[planned.trial].status else _dollars(made.may_cost(planned)),
        }
        for planned in made.steps
    ]
    show_table(f"Probe of {made.provider.name} at {made.base}", rows, as_json=False, right=("at most USD",))
    out.print(
        f"In all: at most ${_dollars(made.worst)}, of which ${_dollars(made.spent)} is spent.", markup=False
    )


def show_report(made: Probe, report: ProbeReport, as_json: bool) -> None:
    """What came of it."""
    if as_json:
        show_json(_report_json(made, report))
        return
    out.print()
    show_table(
        "Free looks",
        [{"question": look.question, "answer": look.answer} for look in report.looks],
        as_json=False,
    )
    out.print()
    rows = [
        {
            "step": one.step,
            "came to": one.status,
            "what": one.outcome,
            "USD": _dollars(one.usd),
            "asked": "not" if one.status in ("open", "not needed") else "before" if one.earlier else "now",
        }
        for one in report.results
    ]
    show_table("Steps", rows, as_json=False, right=("USD",))
    out.print()
    show_facts(made.provider.spec, [fact for fact in report.facts if fact.task])
    out.print(f"Spent ${_dollars(report.spent_usd)}, counted at its worst where nobody knows.", markup=False)
    if report.stopped:
        note(f"stopped: {report.stopped}")
    if made.at == "loopback":
        note("Facts of a rehearsal are shown only while the provider is moved to this machine.")
    else:
        note(f"Kept with their dates; see them again: evalkit providers show {made.provider.name}")


def _report_json(made: Probe, report: ProbeReport) -> dict[str, object]:
    return {
        "provider": made.provider.name,
        "at": made.base,
        "looks": [{"question": look.question, "answer": look.answer} for look in report.looks],
        "steps": [asdict(one) | {"usd": str(one.usd)} for one in report.results],
        "facts": [asdict(fact) for fact in report.facts],
        "spent_usd": str(report.spent_usd),
        "stopped": report.stopped or None,
        "interrupted": report.interrupted,
    }


def _dollars(amount: Decimal) -> str:
    return format(amount.normalize(), "f") if amount else "0"
