"""Scores as records: how they are written, and what earlier scorings left of them.

A score belongs to a picture of a trial and has a key (`evalkit.ids.score_key`). What is to be scored, and by
what, is for `evalkit.runner.score`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from evalkit.ids import digest
from evalkit.metrics.base import Metric, Output
from evalkit.metrics.registry import spec
from evalkit.store import Record, Workspace, read_records
from evalkit.types import Json, Value

PASSING = frozenset({"weights_missing", "metric_error"})
"""Reasons that say nothing about the picture: such a score is tried again next time."""

Values = Mapping[str, Value]
Place = tuple[str, int, str, str]
"""(trial, image index, metric, key)."""


@dataclass(slots=True)
class Known:
    """What earlier scorings left: values by key, as their records have them, and which pictures have them.

    A workspace has far more scores than one scoring asks about, so they become `Value`s only then.
    """

    records: dict[str, list[Record]] = field(default_factory=dict)
    places: set[Place] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)

    def values(self, key: str) -> Values | None:
        """What was scored under `key`, None if nothing that lasts."""
        listed = self.records.get(key)
        if listed is None:
            return None
        return {
            v["output"]: Value(v["value"], v["reason"], v.get("detail", ""), v.get("flag")) for v in listed
        }


def read_known(workspace: Workspace) -> Known:
    """Everything that all score files of a workspace say."""
    known = Known()
    for path in sorted(workspace.scores.glob("*.jsonl")):
        for record in read_records(path):
            if record.get("type") == "metric":
                known.declared.add(digest({key: value for key, value in record.items() if key != "t"}))
            elif record.get("type") == "score":
                _remember(known, record)
    return known


def as_json(output: str, value: Value) -> dict[str, Json]:
    """An output's value as a record; detail and flag only where there are any.

    Metrics may return numbers of numpy's; what is no finite number is missing, as `not_finite`.
    """
    number = None if value.value is None else float(value.value)
    reason = value.reason
    if number is not None and not math.isfinite(number):
        number, reason = None, "not_finite"
    beside: dict[str, Json] = {"detail": value.detail} if value.detail else {}
    if value.flag:
        beside["flag"] = value.flag
    return {"output": output, "value": number, "reason": reason, **beside}


def declared(output: Output) -> dict[str, Json]:
    """An output as the declaration of its metric holds it."""
    sets = {"needs": sorted(output.needs), "categories": sorted(output.categories)}
    return asdict(output) | sets


def declaration(run: str, metric: Metric, weights: str | None) -> Record:
    """What a metric's numbers mean, as a record without its time."""
    return {
        "type": "metric",
        "run": run,
        "metric": spec(metric),
        "family": metric.name,
        "version": metric.version,
        "config": dict(metric.config),
        "weights": weights,
        "caveat": metric.caveat,
        "outputs": [declared(output) for output in metric.outputs],
    }


def _remember(known: Known, record: Record) -> None:
    listed = record["values"]
    if all(value["reason"] not in PASSING for value in listed):
        known.records[record["key"]] = listed
        known.places.add((record["trial"], record["image_index"], record["metric"], record["key"]))
