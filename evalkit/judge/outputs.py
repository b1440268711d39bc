"""The numbers that a judge gives, and how to read them: declared like those of any metric.

Each kind of question is a metric of its own, so that a run owes only the scores it was asked for. They are
never blended into one.
"""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.judge.questions import Kind
from evalkit.judge.templates import HIGH, LOW, template
from evalkit.metrics.base import Output
from evalkit.runner.scored import declared
from evalkit.store import Record

VERSION = "1"
FAMILY = "judge"

YES, GRAPH, FOLLOWED = "judge_yes", "judge_graph", "judge_followed"
PRESERVED, APPEAL, BETTER = "judge_preserved", "judge_appeal", "judge_better"

OUTPUTS: Mapping[Kind, tuple[Output, ...]] = {
    "yes-no": (
        Output(YES, "Judge: it is what was asked", "higher", "", 0.0, 1.0, headline=True),
        Output(
            GRAPH, "Judge: questions answered yes", "higher", "", 0.0, 1.0, frozenset({"questions"}), True
        ),
    ),
    "rubric": (
        Output(FOLLOWED, "Judge: request followed", "higher", "", LOW, HIGH, headline=True),
        Output(PRESERVED, "Judge: the rest preserved", "higher", "", LOW, HIGH, frozenset({"source"}), True),
        Output(APPEAL, "Judge: appeal", "higher", "", LOW, HIGH, frozenset({"t2i"})),
    ),
}
"""Pairs have no score: they are facts of their own."""

TEMPLATES: Mapping[Kind, tuple[str, ...]] = {
    "yes-no": ("yes-no", "yes-no-edit", "question"),
    "rubric": ("rubric", "rubric-edit"),
    "pairs": ("pair", "pair-edit"),
}


def metric_name(kind: Kind, judge: str) -> str:
    """The metric under which scores are kept.

    >>> metric_name("rubric", "openai-chat:gpt-4.1-mini")
    'judge[ask=rubric,model=openai-chat:gpt-4.1-mini]'
    """
    return f"{FAMILY}[ask={kind},model={judge}]"


def declaration(kind: Kind, judge: str, run: str) -> Record:
    """The record that declares the metric for a run."""
    return {
        "type": "metric",
        "run": run,
        "metric": metric_name(kind, judge),
        "family": FAMILY,
        "version": VERSION,
        "config": {
            "ask": kind,
            "model": judge,
            "templates": {name: template(name).digest for name in TEMPLATES[kind]},
        },
        "weights": None,
        "caveat": f"A model ({judge}) has judged, not people. It can be wrong, and it can change.",
        "outputs": [declared(output) for output in OUTPUTS[kind]],
    }
