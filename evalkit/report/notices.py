"""What a reader must know before any number: what here is drawn, simulated or only a stand-in."""

from __future__ import annotations

from evalkit.report.context import Context


def notices(context: Context) -> tuple[str, ...]:
    """One sentence per kind of thing that is not what it may look like."""
    said = (
        _rehearsed(context),
        _suites(context),
        _restricted(context),
        _systems(context),
        _votes(context),
        _versions(context),
    )
    return tuple(text for text in said if text)


def caveats(context: Context) -> tuple[str, ...]:
    """The caveats of the metrics that have scores, each once."""
    said = dict.fromkeys(row.caveat for row in context.board if row.caveat and row.n_scored)
    return tuple(said)


def drifted(context: Context) -> tuple[str, ...]:
    """Systems of which more than one version answered within the run."""
    return tuple(str(row["system"]) for row in context.asked if len(row["versions"]) > 1)


def _rehearsed(context: Context) -> str:
    names = [system.name for system in context.systems if system.rehearsed]
    return (
        f"A rehearsal: servers on the tester's own machine stood in for the providers of {', '.join(names)}. "
        "Pictures, prices, times and refusals are made up, say nothing about any real model, and nothing was "
        "billed."
        if names
        else ""
    )


def _versions(context: Context) -> str:
    names = drifted(context)
    return (
        f"The model changed during the run: more than one version answered for {', '.join(names)}. What is "
        "said about it mixes them; versions and dates are under methods and provenance."
        if names
        else ""
    )


def _suites(context: Context) -> str:
    names = [row["suite"] for row in context.rows("suites", run=context.run) if row["synthetic"]]
    return f"Synthetic suites: {', '.join(names)}. Their prompts are made by a grammar." if names else ""


def _restricted(context: Context) -> str:
    names = ", ".join(context.restricted)
    if not names:
        return ""
    if context.include_restricted:
        return (
            f"For your own use only: the licence of {names} does not let prompts and pictures be passed on."
        )
    return (
        f"Not everything may be passed on: the licence of {names} does not allow it, so prompts, expected "
        "texts, source pictures and edits of them are left out. The numbers count them."
    )


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
