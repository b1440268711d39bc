"""Do the metrics agree with people? Per category a chart and a table; then pairs on which they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evalkit.leaderboard import Disagreement, ValidityRow, to_records
from evalkit.leaderboard.validity import VALIDATED
from evalkit.report.agreement import Criterion, Mark, agreement_chart
from evalkit.report.context import Context
from evalkit.report.formats import count
from evalkit.report.pictures import Thumbnail, thumbnail
from evalkit.report.sections import Section
from evalkit.stats.validity import CHANCE, ENOUGH_PAIRS
from evalkit.types import Estimate

MAX_ROWS = 14
"""Outputs in one chart; the table has all of them."""
FEW_PAIRS = 30
"""With fewer pairs that have several votes, the agreement among people is in the table but not drawn."""


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where the run has no metric with a better direction. Options: `pairs`, `rows`."""
    board = context.validity
    if not board.rows:
        return None
    rows = int(options.get("rows", MAX_ROWS))
    found = [_category(context, category, rows) for category in context.categories]
    pairs, withheld = _pairs(context, int(options.get("pairs", 4)))
    judged = [row for row in board.rows if row.n_decided >= ENOUGH_PAIRS]
    data = {
        "board": board,
        "categories": [category for category in found if category is not None],
        "silent": _silent(context),
        "outputs": len(board.by_output),
        "judged": len(judged),
        "validated": sum(row.status == VALIDATED for row in judged),
        "enough": ENOUGH_PAIRS,
        "set_aside": [study.title for study in context.studies if study.selection],
        "dropped": not board.simulated and any(study.simulated for study in context.studies),
        "pairs": pairs,
        "withheld": withheld,
    }
    return Section("Do the metrics agree with people?", data, _results(context, pairs))


def _silent(context: Context) -> list[str]:
    """Categories with scores in which nobody has voted."""
    voted = {row.category for row in context.validity.rows if row.n_votes}
    known = {row.category for row in context.validity.rows}
    return [category for category in context.categories if category in known - voted]


def _category(context: Context, category: str, most: int) -> dict[str, Any] | None:
    rows = [row for row in context.validity.rows if row.category == category and row.n_votes]
    if not rows:
        return None
    names = _names(rows)
    criteria = list(dict.fromkeys(row.criterion for row in rows))
    groups = [_criterion(c, sorted((r for r in rows if r.criterion == c), key=_best_first)) for c in criteria]
    order = _order(rows, most)
    return {
        "name": category,
        "groups": groups,
        "names": names,
        "simulated": rows[0].simulated,
        "left_out": len(names) - len(order),
        "ceiling": any(_drawable(group["ceiling"]).value is not None for group in groups),
        "validated": [row for row in rows if row.status == VALIDATED],
        "rows": len(rows),
        "chart": agreement_chart(
            [_column(group) for group in groups], [names[key] for key in order], _label(category, criteria)
        )
        if order
        else None,
    }


def _criterion(name: str, rows: Sequence[ValidityRow]) -> dict[str, Any]:
    first = rows[0]
    return {
        "name": name,
        "rows": rows,
        "names": _names(rows),
        "ceiling": first.ceiling,
        "note": "" if first.ceiling.value is None else f"from {count(first.ceiling.n, 'pair')}",
        "votes": first.n_votes,
        "pairs": first.n_pairs,
        "raters": first.n_raters,
        "few": next((row.accuracy.note for row in rows if row.accuracy.low is not None), None),
    }


def _names(rows: Sequence[ValidityRow]) -> dict[tuple[str, str], str]:
    """Outputs by what they are called; where two are called the same, with their metric."""
    labels = Counter(label for _, label in {(row.key, row.label) for row in rows})
    return {
        row.key: row.label if labels[row.label] == 1 else f"{row.label}, {row.metric} {row.output}"
        for row in rows
    }


def _order(rows: Sequence[ValidityRow], most: int) -> list[tuple[str, str]]:
    """The outputs of the chart: those whose best criterion agrees most, most accurate first."""
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.accuracy.value is not None:
            best[row.key] = max(best.get(row.key, 0.0), row.accuracy.value)
    return sorted(best, key=lambda key: (-best[key], key))[:most]


def _best_first(row: ValidityRow) -> tuple[bool, float, str, str]:
    return (row.accuracy.value is None, -(row.accuracy.value or 0.0), *row.key)


def _column(group: Mapping[str, Any]) -> Criterion:
    marks = {group["names"][row.key]: Mark(row.accuracy, row.status == VALIDATED) for row in group["rows"]}
    return Criterion(group["name"].capitalize(), marks, CHANCE, _drawable(group["ceiling"]))


def _drawable(ceiling: Estimate) -> Estimate:
    """The ceiling where enough pairs have several votes; else nothing, and why."""
    if ceiling.value is None or ceiling.n >= FEW_PAIRS:
        return ceiling
    return Estimate(None, note=f"ceiling from {count(ceiling.n, 'pair')}: too few")


def _label(category: str, criteria: Sequence[str]) -> str:
    return (
        f"{category}: how often each metric prefers the picture that people prefer, with 95 % intervals, for "
        f"{', '.join(criteria)}. The numbers are in the table."
    )


def _pairs(context: Context, most: int) -> tuple[list[dict[str, Any]], int]:
    """The head of the queue, one pair of a case, with pictures; and how many may not be shown."""
    found = _one_of_a_case(context.disagreements(4 * most), most) if most else []
    shown = [entry for entry in found if not context.withholds(entry.suite)]
    cases = [f"{entry.suite}/{entry.case}" for entry in shown]
    texts = {(r["suite"], r["case"]): r for r in context.rows("gallery_texts", run=context.run, cases=cases)}
    pairs = [_pair(context, entry, texts[entry.suite, entry.case]) for entry in shown]
    return pairs, len(found) - len(shown)


def _one_of_a_case(waiting: Sequence[Disagreement], most: int) -> list[Disagreement]:
    """At most `most`, one per case; a quarter of the room is for scores in doubt, if there are any."""
    by_case: dict[tuple[str, str], Disagreement] = {}
    for entry in waiting:
        by_case.setdefault((entry.suite, entry.case), entry)
    doubtful = [entry for entry in by_case.values() if entry.why == "unreliable"]
    opposed = [entry for entry in by_case.values() if entry.why == "opposed"]
    kept = opposed[: most - min(len(doubtful), max(1, most // 4))]
    return [*kept, *doubtful[: most - len(kept)]]


def _pair(context: Context, entry: Disagreement, text: Mapping[str, Any]) -> dict[str, Any]:
    source = _source(context, text)
    sides = [
        {"side": side, "picture": thumbnail(context.read_object, side.image), "words": words}
        for side, words in zip((entry.preferred, entry.other), _words(entry), strict=True)
    ]
    return {"entry": entry, "text": text, "source": source, "sides": sides}


def _source(context: Context, text: Mapping[str, Any]) -> Thumbnail | None:
    if text["source_sha"] is None:
        return None
    return thumbnail(context.read_object, text["source_sha"], text["mask_sha"])


def _words(entry: Disagreement) -> tuple[str, str]:
    """What is said under each picture: who prefers it."""
    if entry.why == "unreliable":
        return "the metric prefers this", ""
    n = entry.agree + entry.oppose + entry.neither
    return (
        f"the metric prefers this, {entry.agree} of {n} votes",
        f"people prefer this, {entry.oppose} of {n} votes",
    )


def _results(context: Context, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    board = context.validity
    return {
        "chance": CHANCE,
        "enough": ENOUGH_PAIRS,
        "simulated": board.simulated,
        "studies": board.studies,
        "set_aside": [study.study for study in context.studies if study.selection],
        "outputs": to_records(board.rows),
        "disagreements": [asdict(pair["entry"]) for pair in pairs],
    }
