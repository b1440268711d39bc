"""Two looks at the same prompts: what is newly refused, what newly allowed, and whether that is chance.

Prompts are paired by suite, case and what was asked; replicates are folded into the share that was refused.
The two sides may lie in different runs and different workspaces, or be two systems of one run. How a
difference of paired rates is judged is in `evalkit.stats.paired`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evalkit.errors import UsageError
from evalkit.leaderboard.query import rows
from evalkit.leaderboard.refusals import KINDS, NAMES, check_system
from evalkit.stats.paired import PairedDifference, Reach, paired_difference, reach

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class Side:
    """One system in one run of a database."""

    db: DuckDBPyConnection
    run: str
    system: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt put to one side, its replicates folded. `answers` name trials and when each ended.

    `blank` of the `looked` pictures that a metric has examined show nothing.
    """

    suite: str
    case: str
    prompt: str
    cluster: str
    kind: str
    parts: tuple[str, ...]
    question: str
    planned: int
    answered: int
    refused: int
    blank: int
    looked: int
    answers: tuple[str, ...]
    words: str
    code: str
    stage: str

    @property
    def share(self) -> float:
        return self.refused / self.answered

    @property
    def least(self) -> float:
        """The share refused if no request without an answer was."""
        return self.refused / self.planned

    @property
    def most(self) -> float:
        """The share refused if every request without an answer was."""
        return (self.refused + self.planned - self.answered) / self.planned


@dataclass(frozen=True, slots=True)
class ChangedPrompt:
    """A prompt that one side refuses more often; `words`, `code` and `stage` are of that side's provider.

    `blank`: the other side delivered a blank picture, behind which a refusal may hide; None if nobody looked.
    """

    suite: str
    case: str
    prompt: str
    kind: str
    parts: tuple[str, ...]
    direction: Literal["newly refused", "newly allowed"]
    before: float
    after: float
    blank: bool | None
    words: str
    code: str
    stage: str


@dataclass(frozen=True, slots=True)
class RefusalChange:
    """One kind of prompt, or one topic or policy of it, on both sides.

    `change` is over the prompts that both sides answered. `fewest` and `most` are over all prompts, with
    whatever was not answered taken in the way that makes the rise smallest, or largest. `asked_once`: every
    prompt was answered once on each side. `reach` says what so many prompts could have shown. `blank_before`
    and `blank_after` count prompts that gave a blank picture, which is no refusal; None if nobody looked.
    `allowed_blank` are those of the newly allowed.
    """

    kind: str
    part: str
    prompts: int
    left_out: int
    asked_once: bool
    change: PairedDifference
    fewest: PairedDifference
    most: PairedDifference
    reach: Reach
    blank_before: int | None
    blank_after: int | None
    allowed_blank: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was found. Lists name prompts as `suite/case`.

    `altered` ask something else under the same name, `only_before` and `only_after` have no partner; none of
    them is compared. `same_answers` counts pairs that are one and the same answer in both runs.
    """

    changes: tuple[RefusalChange, ...]
    prompts: tuple[ChangedPrompt, ...]
    altered: tuple[str, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    same_answers: int


def compare_refusals(before: Side, after: Side) -> Comparison:
    """Pair the refusal prompts of two sides and judge what changed.

    Raises `UnknownName` for a system that a run does not have, `UsageError` where there is nothing to pair or
    both sides hold the very same answers.
    """
    old, new = _prompts(before), _prompts(after)
    both = [name for name in new if name in old]
    pairs = [(old[name], new[name]) for name in both if old[name].question == new[name].question]
    if not pairs:
        raise UsageError(
            f"{before.run} and {after.run} have no refusal prompt in common",
            "Both must have asked the same suite of that category: evalkit run refusals --system ...",
        )
    same = sum(bool(set(one.answers) & set(other.answers)) for one, other in pairs)
    if same == len(pairs):
        raise UsageError(
            "both runs hold the very same answers: what has been asked is not asked again",
            "Ask in a workspace of its own (evalkit run ... -w DIR) and compare with --base-workspace.",
        )
    return Comparison(
        changes=tuple(_changes(pairs)),
        prompts=tuple(_changed(pairs)),
        altered=tuple(name for name in both if old[name].question != new[name].question),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        same_answers=same,
    )


def verdict(found: RefusalChange) -> str:
    """One sentence: from where to where, how many prompts changed, and whether that decides anything."""
    change, name = found.change, NAMES[found.kind]
    if change.before is None or change.after is None or change.p_value is None:
        return f"{name} cannot be compared: no prompt was answered on both sides"
    moved = f"{change.rose} newly refused, {change.fell} newly allowed"
    if not found.asked_once:
        moved = f"{change.rose} refused more often, {change.fell} less often"
    if found.allowed_blank:
        moved += f" but {found.allowed_blank} of these with a blank picture"
    went = f"went from {_percent(change.before)} to {_percent(change.after)}"
    if round(change.before, 9) == round(change.after, 9):
        went = f"stayed at {_percent(change.after)}"
    prompts = f"{change.pairs} prompt{'' if change.pairs == 1 else 's'}"
    end = {None: "no interval from", True: "decided at", False: "not decided at"}[change.decided]
    return f"{name} {went} ({moved}), {_chance(change.p_value)}: {end} {prompts}"


def judge_rise(found: RefusalChange, allowed: float) -> Outcome:
    """Whether the rate rose by no more than `allowed` (a share, e.g. 0.05 for five percentage points).

    PASS if the interval of the difference ends at or below it even if everything unanswered went the worst
    way; FAIL if it begins above it even if everything went the best way; else INCONCLUSIVE.
    """
    high, low = found.most.difference.high, found.fewest.difference.low
    if high is not None and high <= allowed:
        return "PASS"
    return "FAIL" if low is not None and low > allowed else "INCONCLUSIVE"


def _prompts(side: Side) -> dict[str, Asked]:
    check_system(side.db, side.run, side.system)
    found = rows(side.db, "refusals_by_case", run=side.run, system=side.system)
    return {f"{values[0]}/{values[1]}": _asked(values) for values in found}


def _asked(values: Sequence[Any]) -> Asked:
    told: list[Any] = [tuple(value) if isinstance(value, list) else value for value in values]
    return Asked(*told)


def _changes(pairs: Sequence[tuple[Asked, Asked]]) -> Iterator[RefusalChange]:
    """Each kind by itself, followed by its topics and policies; tags are those of the later side."""
    for kind in KINDS:
        own = [pair for pair in pairs if pair[1].kind == kind]
        if own:
            yield _change(kind, "", own)
        for part in dict.fromkeys(part for _, new in own for part in new.parts):
            yield _change(kind, part, [pair for pair in own if part in pair[1].parts])


def _change(kind: str, part: str, pairs: Sequence[tuple[Asked, Asked]]) -> RefusalChange:
    answered = [(old, new) for old, new in pairs if old.answered and new.answered]
    change = _difference([(old.share, new.share, new) for old, new in answered])
    fewest = most = change
    if any(old.answered < old.planned or new.answered < new.planned for old, new in pairs):
        fewest = _difference([(old.most, new.least, new) for old, new in pairs])
        most = _difference([(old.least, new.most, new) for old, new in pairs])
    return RefusalChange(
        kind=kind,
        part=part,
        prompts=len(pairs),
        left_out=len(pairs) - len(answered),
        asked_once=all(old.answered == new.answered == 1 for old, new in answered),
        change=change,
        fewest=fewest,
        most=most,
        reach=reach(change.clusters),
        blank_before=_blank([old for old, _ in pairs]),
        blank_after=_blank([new for _, new in pairs]),
        allowed_blank=sum(new.blank > 0 and new.share < old.share for old, new in answered),
    )


def _difference(rates: Sequence[tuple[float, float, Asked]]) -> PairedDifference:
    clusters = [f"{asked.suite}/{asked.cluster}" for _, _, asked in rates]
    return paired_difference([old for old, _, _ in rates], [new for _, new, _ in rates], clusters)


def _blank(asked: Sequence[Asked]) -> int | None:
    looked = any(one.looked for one in asked)
    return sum(one.blank > 0 for one in asked) if looked else None


def _changed(pairs: Sequence[tuple[Asked, Asked]]) -> Iterator[ChangedPrompt]:
    """Newly refused ones first, each in the order of the suite."""
    answered = [(old, new) for old, new in pairs if old.answered and new.answered]
    yield from (_prompt(old, new, new, old) for old, new in answered if new.share > old.share)
    yield from (_prompt(old, new, old, new) for old, new in answered if new.share < old.share)


def _prompt(old: Asked, new: Asked, refusing: Asked, drawing: Asked) -> ChangedPrompt:
    return ChangedPrompt(
        suite=new.suite,
        case=new.case,
        prompt=new.prompt,
        kind=new.kind,
        parts=new.parts,
        direction="newly refused" if refusing is new else "newly allowed",
        before=old.share,
        after=new.share,
        blank=drawing.blank > 0 if drawing.looked else None,
        words=refusing.words,
        code=refusing.code,
        stage=refusing.stage,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _chance(p: float) -> str:
    """Halves are rounded up: McNemar's 0.0625 is 0.063."""
    return "p < 0.001" if p < 0.0005 else f"p = {p + 1e-9:.3f}" if p < 1 else "p = 1"
