"""Which records of a format become cases, under which ids, and a count of everything that does not.

Nothing is dropped in silence: every record that was read is a case, was skipped for a reason, or was left out
because it was not asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from evalkit.errors import UnknownName, UsageError
from evalkit.suite.cases import case_to_json
from evalkit.suite.fields import read_case
from evalkit.suite.find import CATEGORIES
from evalkit.suite.importers.base import Importer, Record, Skipped
from evalkit.suite.importers.texts import MAX_ID, case_id, is_text, slug
from evalkit.suite.rules import broken_rules

EXAMPLES = 5
"""So many records are named for each reason."""
DUPLICATE = "same id as an earlier record: numbered"
SHORTENED = "id too long: cut"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of a format. `only` are tags, of which a case needs one; None and () ask for all."""

    category: str | None = None
    only: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0


@dataclass(slots=True)
class Tally:
    """How many records were read and what became of them."""

    read: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, origin: str, reason: str) -> None:
        """Count a record that cannot be a case."""
        self.skipped[reason] += 1
        self._example(reason, origin)

    def note(self, origin: str, text: str) -> None:
        """Count something that was done to a record that is a case."""
        self.notes[text] += 1
        self._example(text, origin)

    def _example(self, text: str, origin: str) -> None:
        named = self.examples.setdefault(text, [])
        if len(named) < EXAMPLES:
            named.append(origin)


def category_of(importer: Importer, choice: Choice) -> str:
    """The category of the suite. Raises `UnknownName`."""
    category = choice.category or importer.category
    if category not in CATEGORIES:
        raise UnknownName("category", category, CATEGORIES)
    return category


def choose(
    importer: Importer, found: Iterable[Record | Skipped], choice: Choice, tally: Tally
) -> list[Record]:
    """The records that are wanted, in their order, with ids that are fit and unique.

    Ids are given before anything is left out, so that a record has the same one however much is asked for.
    Raises `UsageError` where nothing is left, `UnknownName` for a tag that no record has.
    """
    category = category_of(importer, choice)
    records = _named(_fit(found, tally))
    wanted = _of_category(importer, records, category, tally)
    wanted = _of_tags(wanted, choice.only, tally)
    wanted = [record for record in wanted if _keeps_rules(record, category, tally)]
    wanted = _sample(wanted, choice, tally)
    for record in wanted:
        for text in record.notes:
            tally.note(record.origin, text)
    return wanted


def _fit(found: Iterable[Record | Skipped], tally: Tally) -> list[Record]:
    """Every record whose texts can be a case's."""
    fit: list[Record] = []
    for record in found:
        tally.read += 1
        if isinstance(record, Skipped):
            tally.skip(record.origin, record.reason)
            continue
        reason = _unfit(record)
        if reason:
            tally.skip(record.origin, reason)
        else:
            fit.append(_tidy(record))
    return fit


def _unfit(record: Record) -> str:
    case = record.case
    if not isinstance(case.prompt, str) or not case.prompt.strip():
        return "the prompt is empty"
    texts = [case.prompt, *case.expected_text, case.source_caption or "", case.target_caption or ""]
    if not all(is_text(text) for text in texts):
        return "a text holds characters that are not text"
    _, messages = read_case(case_to_json(replace(case, id="x")))
    return messages[0] if messages else ""


def _tidy(record: Record) -> Record:
    """Captions that say nothing are left out: empty ones, and two that are the same."""
    case = record.case
    before, after = (
        text if text and text.strip() else None for text in (case.source_caption, case.target_caption)
    )
    if before is None or before != after:
        return replace(record, case=replace(case, source_caption=before, target_caption=after))
    notes = (*record.notes, "both captions are the same: left out")
    return replace(record, case=replace(case, source_caption=None, target_caption=None), notes=notes)


def _named(records: Sequence[Record]) -> list[Record]:
    taken: set[str] = set()
    named = []
    for record in records:
        name = first = case_id(record.case.id)
        if len(slug(record.case.id)) > MAX_ID:
            record = replace(record, notes=(*record.notes, SHORTENED))
        number = 1
        while name in taken:
            number += 1
            name = f"{first}-{number}"
        if number > 1:
            record = replace(record, notes=(*record.notes, DUPLICATE))
        taken.add(name)
        named.append(replace(record, case=replace(record.case, id=name)))
    return named


def _of_category(importer: Importer, records: list[Record], category: str, tally: Tally) -> list[Record]:
    if category in ("other", importer.category):
        return records
    wanted = [record for record in records if category in record.categories]
    if not wanted and records:
        there = sorted(
            {name for record in records for name in record.categories} | {importer.category, "other"}
        )
        raise UsageError(f"nothing in {importer.title} is for {category}", f"There is: {', '.join(there)}.")
    _count(tally, len(records) - len(wanted), f"not for {category}")
    return wanted


def _of_tags(records: list[Record], only: Sequence[str], tally: Tally) -> list[Record]:
    if not only:
        return records
    known = {tag for record in records for tag in record.case.tags}
    kept: set[str] = set()
    for text in only:
        matching = {tag for tag in known if _means(text, tag)}
        if not matching:
            raise UnknownName("tag", text, known)
        kept |= matching
    wanted = [record for record in records if kept.intersection(record.case.tags)]
    _count(tally, len(records) - len(wanted), f"not tagged {' or '.join(only)}")
    return wanted


def _means(text: str, tag: str) -> bool:
    """Whether `text` is the tag, or what stands after its colon, however it is written."""
    key, _, value = tag.partition(":")
    asked = text.partition(":")
    if asked[1]:
        return (slug(asked[0]), slug(asked[2])) == (slug(key), slug(value))
    return slug(text) in (slug(value), slug(key) if not value else "")


def _keeps_rules(record: Record, category: str, tally: Tally) -> bool:
    """Whether the case will be valid in a suite of `category` if its pictures turn out to be."""
    raw = dict(case_to_json(record.case))
    raw |= {"source": "-"} if record.source else {}
    raw |= {"mask": "-"} if record.mask else {}
    broken = next(broken_rules(raw, category), None)
    if broken:
        tally.skip(record.origin, broken)
    return broken is None


def _sample(records: list[Record], choice: Choice, tally: Tally) -> list[Record]:
    """So many at most, by a lot that depends on nothing but the seed and the record: more includes fewer."""
    if choice.limit is None or len(records) <= choice.limit:
        return records

    def lot(record: Record) -> str:
        return hashlib.sha256(f"{choice.seed}/{record.case.id}".encode()).hexdigest()

    drawn = {record.case.id for record in sorted(records, key=lot)[: choice.limit]}
    _count(tally, len(records) - len(drawn), f"beyond the limit of {choice.limit}")
    return [record for record in records if record.case.id in drawn]


def _count(tally: Tally, number: int, reason: str) -> None:
    if number:
        tally.left_out[reason] += number
