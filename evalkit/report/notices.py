"""What a reader must know before any number: what here is drawn, simulated or only a stand-in."""

from __future__ import annotations

from evalkit.report.context import Context


def notices(context: Context) -> tuple[str, ...]:
    """One sentence per kind of thing that is not what it may look like."""
    return tuple(text for text in (_suites(context), _systems(context), _votes(context)) if text)


def caveats(context: Context) -> tuple[str, ...]:
    """The caveats of the metrics that have scores, each once."""
    said = dict.fromkeys(row.caveat for row in context.board if row.caveat and row.n_scored)
    return tuple(said)


def _suites(context: Context) -> str:
    names = [row["suite"] for row in context.rows("suites", run=context.run) if row["synthetic"]]
    return f"Synthetic suites: {', '.join(names)}. Their prompts are made by a grammar." if names else ""


def _systems(context: Context) -> str:
    names = [system.name for system in context.systems if system.provider == "studio"]
    return (
        f"Drawn, not generated: {', '.join(names)}. The built-in studio draws these pictures with known "
        "faults; they say nothing about any real model."
        if names
        else ""
    )


def _votes(context: Context) -> str:
    names = [study.title for study in context.studies if study.simulated]
    return f"Simulated votes: {', '.join(names)}. No person gave these answers." if names else ""
