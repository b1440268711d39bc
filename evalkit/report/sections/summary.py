"""The headline of each category in plain words: who leads, by how much, and is that more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.leaderboard import BoardRow
from evalkit.leaderboard.frames import to_records
from evalkit.report.context import Context, StudyInfo
from evalkit.report.decided import tied_for_first
from evalkit.report.formats import decimals_for
from evalkit.report.sections import Section


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """Always there: even a run without scores has something to say about what is missing."""
    del options
    findings = [_finding(context, category) for category in context.categories]
    fair = [study for study in context.studies if not study.selection]
    verdicts = [verdict for study in fair for verdict in _verdicts(context, study)]
    counts = context.rows("counts", run=context.run)
    data = {"findings": findings, "verdicts": verdicts, "counts": counts}
    results = {
        "findings": [_for_machines(f) for f in findings],
        "votes": [_verdict_for_machines(v) for v in verdicts],
        "trials": counts,
    }
    return Section("Summary", data, results)


def _finding(context: Context, category: str) -> dict[str, Any]:
    lead = context.headlines.get(category)
    if lead is None:
        return {"category": category, "outcome": "nothing"}
    told = {"category": category, "leader": lead.leader, "remark": _remark(context, lead.leader)}
    if not lead.others:
        return {**told, "outcome": "alone", "decimals": decimals_for([lead.leader.estimate])}
    second = lead.others[0]
    gap = second.difference
    return {
        **told,
        "outcome": "refused" if lead.refused else _outcome(second.decided),
        "second": second.row,
        "gap": gap,
        "gap_decimals": decimals_for([gap]),
        "decimals": max(decimals_for([lead.leader.estimate, second.row.estimate]), decimals_for([gap])),
        "level": [behind.row.system for behind in lead.others if behind.decided is False],
    }


def _outcome(decided: bool | None) -> str:
    return {None: "unknown", True: "clear", False: "open"}[decided]


def _remark(context: Context, leader: BoardRow) -> tuple[str, int, int] | None:
    """Preservation alone rewards doing nothing: the leader's place by another headline output, if any."""
    if not leader.output.endswith("_out"):
        return None
    others = [
        row
        for row in context.board
        if row.category == leader.category and row.notable and not row.output.endswith("_out")
    ]
    if not others:
        return None
    ranked = [row.system for row in others if row.key == others[0].key and row.estimate.value is not None]
    place = ranked.index(leader.system) + 1 if leader.system in ranked else 0
    return (others[0].label, place, len(ranked)) if place else None


def _verdicts(context: Context, study: StudyInfo) -> list[dict[str, Any]]:
    boards = {criterion: context.votes(study.study, criterion) for criterion in study.questions}
    return [
        {
            "study": study,
            "criterion": criterion,
            "first": tied_for_first(board),
            "board": board,
        }
        for criterion, board in boards.items()
        if board.n_votes or board.n_rankings
    ]


def _for_machines(finding: Mapping[str, Any]) -> dict[str, Any]:
    leader, second, gap = finding.get("leader"), finding.get("second"), finding.get("gap")
    return {
        "category": finding["category"],
        "outcome": finding["outcome"],
        "leader": leader.system if leader else None,
        "output": leader.output if leader else None,
        "second": second.system if second else None,
        "difference": to_records([gap])[0] if gap else None,
    }


def _verdict_for_machines(verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "study": verdict["study"].study,
        "simulated": verdict["study"].simulated,
        "criterion": verdict["criterion"],
        "tied_for_first": verdict["first"],
    }
