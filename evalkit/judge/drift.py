"""Whether a judge still judges as it did: its answers about the anchors, then and now.

The anchors are a fixed set, so it is the judge's noise that a shift is measured against, not how much anchors
differ: each is asked several times at each occasion. It knows numbers on a scale from 0 to 10, and nothing
about how they came about.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalkit.judge.outputs import BETTER, YES
from evalkit.store import Record, Workspace, read_records

Verdict = Literal["first", "steady", "drift", "unclear"]

MATTERS = 0.15
"""A shift of so much, on the scale from 0 to 10, is worth knowing of."""
FLOOR = MATTERS / 2
"""Smaller shifts may be real, but they are never called drift."""
ALARM = 0.04
"""How often a judge that has not changed is called drifting; a little below the 5 % that is promised."""
LEVEL = 0.95
POWER = 0.95
LEAST_FREEDOM = 10
_SCALES = {YES: 10.0, BETTER: 10.0}
"""Numbers from 0 to 1 are put on the scale from 0 to 10."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer about one anchor, on the scale from 0 to 10; `value` is None where there was none.

    `series` is what has to be equal for two readings to be comparable: the template's digest and the output.
    `item` is one question about one picture, and `at` when it was answered.
    """

    series: tuple[str, str]
    occasion: str
    item: str
    value: float | None
    at: str = ""
    anchor: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """One number of a judge, now and at its first occasion.

    `shift` is the mean over `items` of now minus then, with its 95 % interval; `noise` the standard deviation
    of one answer about one anchor at one occasion. `detectable` is the smallest shift that would have been
    called drift with a probability of 95 %. `right` is the share of anchors whose good picture is above the
    bad one.
    """

    output: str
    verdict: Verdict
    items: int = 0
    shift: float | None = None
    low: float | None = None
    high: float | None = None
    noise: float | None = None
    detectable: float | None = None
    since: str = ""
    right: float | None = None
    template: str = ""


@dataclass(frozen=True, slots=True)
class _Noise:
    """The pooled variance of repeated answers, and its degrees of freedom."""

    variance: float
    freedom: int


def read_readings(workspace: Workspace, judge: str) -> list[Reading]:
    """Every answer about an anchor that a judge has ever given in a workspace; the newest of each."""
    newest: dict[tuple[str, str, str, int], Reading] = {}
    for path in sorted(workspace.judgements.glob("*.jsonl")):
        for record in read_records(path):
            if record.get("type") == "anchor" and record.get("judge") == judge:
                place = (record["output"], record["occasion"], record["item"], record["repeat"])
                newest[place] = reading_of(record)
    return list(newest.values())


def reading_of(record: Record) -> Reading:
    """A record of an anchor as a reading."""
    output, value = str(record["output"]), record.get("value")
    return Reading(
        series=(str(record["digest"]), output),
        occasion=record["occasion"],
        item=record["item"],
        value=None if value is None else float(value) * _SCALES.get(output, 1.0),
        at=str(record["answered"]),
        anchor=record["anchor"],
        template=record["template"],
    )


def drifts(readings: Iterable[Reading], occasion: str) -> list[Drift]:
    """One line for each series of `occasion`, compared with the first occasion there was."""
    series: dict[tuple[str, str], list[Reading]] = {}
    for reading in readings:
        series.setdefault(reading.series, []).append(reading)
    return [
        _compare(output, found, occasion)
        for (_, output), found in sorted(series.items(), key=lambda pair: pair[0][1])
        if any(reading.occasion == occasion for reading in found)
    ]


def measure(
    then: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]], output: str = ""
) -> Drift:
    """Compare two occasions: the answers to each item, then and now.

    The shift is tested against the noise of repeated answers by Student's t at the level `ALARM`, and has to
    be at least `FLOOR`. Without at least `LEAST_FREEDOM` repeats to tell the noise from, the verdict is
    unclear.
    """
    items = sorted(item for item in then.keys() & now.keys() if then[item] and now[item])
    if not items:
        return Drift(output, "unclear")
    shift = math.fsum(_mean(now[item]) - _mean(then[item]) for item in items) / len(items)
    noise = _noise([then[item] for item in items] + [now[item] for item in items])
    if noise.freedom < LEAST_FREEDOM:
        return Drift(output, "unclear", len(items), shift)
    shares = math.fsum(1 / len(then[item]) + 1 / len(now[item]) for item in items)
    error = math.sqrt(noise.variance * shares) / len(items)
    reach = _quantile(0.5 + LEVEL / 2, noise.freedom) * error
    threshold = max(_quantile(1 - ALARM / 2, noise.freedom) * error, FLOOR)
    detectable = threshold + _quantile(POWER, noise.freedom) * error
    steady: Verdict = "steady" if detectable <= MATTERS else "unclear"
    return Drift(
        output,
        "drift" if abs(shift) >= threshold else steady,
        len(items),
        shift,
        shift - reach,
        shift + reach,
        math.sqrt(noise.variance),
        detectable,
    )


def _compare(output: str, readings: Sequence[Reading], occasion: str) -> Drift:
    now, first = _by_item(readings, occasion), _first_occasion(readings)
    right, template = _right(readings, occasion), readings[0].template
    if first == occasion:
        return Drift(output, "first", len(now), right=right, template=template)
    since = min(reading.at for reading in readings if reading.occasion == first)
    compared = measure(_by_item(readings, first), now, output)
    return replace(compared, since=since, right=right, template=template)


def _first_occasion(readings: Sequence[Reading]) -> str:
    """The occasion whose first answer is the oldest."""
    return min(readings, key=lambda reading: (reading.at, reading.occasion)).occasion


def _by_item(readings: Sequence[Reading], occasion: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for reading in readings:
        if reading.occasion == occasion and reading.value is not None:
            found.setdefault(reading.item, []).append(reading.value)
    return found


def _right(readings: Sequence[Reading], occasion: str) -> float | None:
    """How often the good picture is above the bad one, ties a half; of pairs, how often it wins."""
    values: dict[str, dict[str, list[float]]] = {}
    for reading in readings:
        if reading.occasion == occasion and reading.value is not None:
            name, _, quality = reading.anchor.partition("-")
            values.setdefault(name, {}).setdefault(quality, []).append(reading.value)
    worth = [won for found in values.values() if (won := _won(found)) is not None]
    return _mean(worth) if worth else None


def _won(found: Mapping[str, Sequence[float]]) -> float | None:
    if "both" in found:
        return _mean(found["both"]) / 10.0
    if "good" not in found or "bad" not in found:
        return None
    gap = _mean(found["good"]) - _mean(found["bad"])
    return 0.5 if abs(gap) < 1e-9 else float(gap > 0)


def _noise(groups: Sequence[Sequence[float]]) -> _Noise:
    squares = math.fsum((value - _mean(group)) ** 2 for group in groups for value in group)
    freedom = sum(len(group) - 1 for group in groups)
    return _Noise(squares / freedom if freedom else 0.0, freedom)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _quantile(p: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(p, freedom))
