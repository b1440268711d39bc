"""How refusals read in the terminal and as JSON: the board of a run, and the comparison of two.

What is compared with what is for `evalkit.cli.refusals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalkit.cli.console import note, out, show_json, show_table
from evalkit.types import Estimate

if TYPE_CHECKING:
    from evalkit.leaderboard.refusal_change import Comparison, RefusalChange, Side
    from evalkit.leaderboard.refusals import RefusalRow

WORDS = 70
_BLANK = {"newly refused": " (blank before)", "newly allowed": " (blank picture)"}


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison and whose it is."""

    before: Side
    after: Side
    comparison: Comparison

    @property
    def title(self) -> str:
        names = (
            self.after.system
            if self.before.system == self.after.system
            else f"{self.before.system} -> {self.after.system}"
        )
        return f"{names}, {self.before.run} -> {self.after.run}"


# One run ----------------------------------------------------------------------------------------------


def show_board(run: str, board: Sequence[RefusalRow], as_json: bool) -> None:
    from evalkit.leaderboard import to_records

    if as_json:
        show_json({"run": run, "rows": to_records(board)})
        return
    whole = [row for row in board if not row.part]
    right = ("prompts", "answered", "refused", "rate", "input", "output", "not told", "blank", "no answer")
    show_table(f"Refusals in {run}", [_line(row) for row in whole], as_json=False, right=right)
    systems = list(dict.fromkeys(row.system for row in board))
    cells = {(row.kind, row.part, row.system): f"{row.refused}/{row.answered}" for row in board}
    parts = dict.fromkeys((row.kind, row.part) for row in board if row.part)
    lines: list[dict[str, object]] = [
        {"kind": kind, "topic or policy": part, **{name: cells.get((kind, part, name)) for name in systems}}
        for kind, part in parts
    ]
    out.print()
    show_table("Refused of answered, by topic and policy", lines, as_json=False, right=systems)
    if any(row.unanswered for row in whole):
        note("Requests without an answer are in no rate; the last column says what they could make of it.")
    for row in whole:
        if row.with_blank is not None:
            note(
                f"{row.system}, {row.kind}: {row.blank} delivered pictures are blank. If they were refusals, "
                f"the rate would be {_percent(row.with_blank)}."
            )
    if all(row.blank is None for row in whole):
        note("No metric has looked for blank pictures, which some providers send instead of a refusal.")


def _line(row: RefusalRow) -> dict[str, object]:
    bounds = row.unanswered and row.best is not None and row.worst is not None
    return {
        "kind": row.kind,
        "system": row.system,
        "prompts": row.prompts,
        "answered": row.answered,
        "refused": row.refused,
        "rate": _percent(row.rate.value),
        "95 % interval": _span(row.rate),
        "input": row.at_input,
        "output": row.at_output,
        "not told": row.at_unknown,
        "blank": row.blank,
        "no answer": row.unanswered,
        "if those were known": f"{_percent(row.best)} to {_percent(row.worst)}" if bounds else None,
    }


# Two runs ---------------------------------------------------------------------------------------------


def show_comparisons(found: Sequence[Found], outcomes: Sequence[str], as_json: bool) -> None:
    if as_json:
        show_json([_record(one, outcomes[i] if outcomes else None) for i, one in enumerate(found)])
        return
    for i, one in enumerate(found):
        _show_comparison(one)
        if outcomes:
            out.print(f"{outcomes[i]} on the rise of over-refusal", style="bold", markup=False)


def _show_comparison(found: Found) -> None:
    from evalkit.leaderboard.refusal_change import verdict

    comparison = found.comparison
    out.print(f"\n{found.title}", style="bold", markup=False, soft_wrap=True)
    for change in comparison.changes:
        if not change.part:
            out.print(verdict(change), markup=False, soft_wrap=True)
    out.print()
    right = ("prompts", "before", "after", "newly refused", "newly allowed", "difference")
    show_table("", [_change_line(change) for change in comparison.changes], as_json=False, right=right)
    lines = [
        {
            "case": prompt.case,
            "now": f"{prompt.direction}{_BLANK[prompt.direction] if prompt.blank else ''}",
            "kind": prompt.kind,
            "prompt": _short(prompt.prompt),
            "in the provider's words": _short(
                " ".join(filter(None, (prompt.stage, prompt.code, prompt.words)))
            ),
        }
        for prompt in comparison.prompts
    ]
    out.print()
    show_table("Prompts that changed", lines, as_json=False)
    for text in _remarks(comparison):
        note(text)


def _change_line(change: RefusalChange) -> dict[str, object]:
    found = change.change
    value = found.difference.value
    return {
        "kind": change.kind if not change.part else "",
        "topic or policy": change.part or "all",
        "prompts": found.pairs,
        "before": _percent(found.before),
        "after": _percent(found.after),
        "newly refused": found.rose,
        "newly allowed": found.fell,
        "difference": None if value is None else f"{100 * value:+.1f}",
        "95 % interval": _span(found.difference, sign="+"),
    }


def _remarks(comparison: Comparison) -> Iterator[str]:
    """What must be known besides: what was left out, and what so many prompts could have shown."""
    for change in comparison.changes:
        if not change.part:
            yield from _limits(change)
    for names, why in (
        (comparison.altered, "ask something else under the same name"),
        (comparison.only_before, "are only in the earlier run"),
        (comparison.only_after, "are only in the later run"),
    ):
        if names:
            listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            yield f"Not compared, as they {why}: {listed} ({len(names)})."
    if comparison.same_answers:
        yield (
            f"{comparison.same_answers} prompts have one and the same answer in both runs: what has been "
            "asked is not asked again in one workspace. They cannot have changed."
        )


def _limits(change: RefusalChange) -> Iterator[str]:
    if change.blank_before or change.blank_after:
        counts = [("nobody looked" if n is None else n) for n in (change.blank_before, change.blank_after)]
        yield (
            f"{change.kind}: prompts that gave a blank picture: {counts[0]} before, {counts[1]} after. None "
            "of them counts as refused; look whether they should."
        )
    can = change.reach
    if can.least is None or can.detectable is None:
        yield f"{change.kind}: {can.pairs} prompts cannot show any difference."
    else:
        yield (
            f"{change.kind}: at {can.pairs} prompts fewer than {can.least} changes, all one way "
            f"({_points(can.least / can.pairs)}), could not have been told from chance; a true difference of "
            f"{_points(can.detectable)} would be found four times in five."
        )
    low, high = change.fewest.difference.value, change.most.difference.value
    if change.fewest is not change.change and low is not None and high is not None:
        yield (
            f"{change.kind}: {change.left_out} of {change.prompts} prompts have no answer on one side and "
            f"are left out. Whatever they were, the difference is {100 * low:+.1f} to {100 * high:+.1f}."
        )


def _record(found: Found, outcome: str | None) -> dict[str, Any]:
    from evalkit.leaderboard.refusal_change import verdict

    comparison = found.comparison
    return {
        "before": {"run": found.before.run, "system": found.before.system},
        "after": {"run": found.after.run, "system": found.after.system},
        "outcome": outcome,
        "verdicts": [verdict(change) for change in comparison.changes if not change.part],
        "changes": [
            asdict(change) | {"decided": change.change.decided, "verdict": verdict(change)}
            for change in comparison.changes
        ],
        "prompts": [asdict(prompt) for prompt in comparison.prompts],
        "altered": comparison.altered,
        "only_before": comparison.only_before,
        "only_after": comparison.only_after,
        "same_answers": comparison.same_answers,
    }


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _span(estimate: Estimate, sign: str = "") -> str:
    if estimate.low is None or estimate.high is None:
        return estimate.note or "-"
    return f"{100 * estimate.low:{sign}.1f} to {100 * estimate.high:{sign}.1f}"


def _short(text: str) -> str:
    return text if len(text) <= WORDS else text[: WORDS - 3] + "..."
