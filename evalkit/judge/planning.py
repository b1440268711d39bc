"""Questions as a plan: trials with ids, a price for all of them, and a run that carries them out.

A judging is a run in a workspace of its own, `judging/`, whose cases are questions and whose pictures are
answers in words. So everything that holds for runs holds for it: the journal, the budget, continuing, the
money views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from evalkit.clock import now
from evalkit.ids import digest
from evalkit.judge.judges import Judge
from evalkit.judge.questions import Candidate, Question, Sheet
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, Trials, plan_content
from evalkit.types import Case, CostBasis, Json

RECIPE = 1
FOLDER = "judging"
ANCHORS = SuiteFacts(
    name="anchors",
    version="1",
    digest="",
    category="anchors",
    licence="CC0-1.0",
    description="Pictures of known quality that every judging shows the judge again",
    synthetic=True,
)


@dataclass(frozen=True, slots=True)
class Judging:
    """A plan of questions. `trials` gives the trial of each question's key."""

    plan: Plan
    trials: Mapping[str, str]


def trial_id(judge: Judge, question: Question) -> str:
    """The id of a question put to a judge: a hash of everything that is asked, and of whom."""
    asked: dict[str, Json] = {
        "template": question.template.digest,
        "text": question.text,
        "pictures": [shown.sha256 for shown in question.pictures],
        "occasion": question.occasion,
    }
    return digest({"recipe": RECIPE, "question": asked, "judge": judge.identity(question)})


def plan_judging(judged: Plan, judge: Judge, sheet: Sheet) -> Judging:
    """Every question of `sheet` with its price. Raises `UsageError` where nobody knows the price."""
    trials = {key: trial_id(judge, question) for key, question in sheet.questions.items()}
    cases = tuple(_case(key, question, sheet.of.get(key)) for key, question in sheet.questions.items())
    suites = _suites(judged, cases)
    rows = Trials((trials[key], index, 0, 0) for index, key in enumerate(sheet.questions))
    draft = Plan("", now(), suites, cases, (_system(judge, list(sheet.questions.values())),), rows)
    content = digest(plan_content(draft))
    name = f"{judged.run[:60]}-{content[:8]}"
    return Judging(replace(draft, run=name, digest=content), trials)


def _case(key: str, question: Question, about: Candidate | None) -> PlannedCase:
    """A question as a case. Its checks say what is shown, so that the plan holds all that was asked."""
    shown: dict[str, Json] = {
        "kind": "judge",
        "template": question.template.name,
        "digest": question.template.digest,
        "pictures": [one.sha256 for one in question.pictures],
        "occasion": question.occasion,
    }
    planned = about.planned if about else None
    case = Case(
        id=key,
        prompt=question.text,
        task="answer",
        tags=(question.template.name, planned.case.id if planned else "anchor"),
        cluster=(planned.case.cluster or planned.case.id) if planned else question.item,
        checks=(shown,),
    )
    return PlannedCase(planned.suite if planned else ANCHORS.name, case)


def _suites(judged: Plan, cases: Sequence[PlannedCase]) -> tuple[SuiteFacts, ...]:
    used = {planned.suite for planned in cases}
    facts = [suite for suite in judged.suites if suite.name in used]
    return (*facts, ANCHORS) if ANCHORS.name in used else tuple(facts)


def _system(judge: Judge, questions: Sequence[Question]) -> PlannedSystem:
    expected = worst = Decimal(0)
    basis: CostBasis = "none"
    for question in questions:
        price = judge.price(question)
        expected, worst = expected + price.expected, worst + price.worst
        basis = price.basis if price.basis != "none" else basis
    return PlannedSystem(judge.system, judge.replayable, None, expected, worst, basis, {}, judge.rehearsed)
