"""A ComfyUI workflow as a template: which `{{names}}` its strings hold, and the graph with values in them.

A string that is nothing but a placeholder becomes the value itself, so `"{{seed}}"` turns into a number;
inside a longer string the value is written out. Sending a graph is for `evalkit.providers.comfyui`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import InvalidInput, UsageError
from evalkit.ids import sha256
from evalkit.types import Json

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)
_EXPORT = "In ComfyUI, choose Workflow > Export (API) and give evalkit that file."

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Workflow:
    """A graph in API format: node id -> {class_type, inputs}. `digest` is the sha256 of the file."""

    graph: Mapping[str, Json]
    names: frozenset[str]
    digest: str

    def fill(self, values: Mapping[str, Value]) -> dict[str, Json]:
        """The graph with every placeholder replaced. Raises `KeyError` for one without a value."""
        return {node: _fill(inside, values) for node, inside in self.graph.items()}


def load_workflow(path: Path) -> Workflow:
    """Read a workflow. Raises `UsageError` if it is not there, `InvalidInput` if it is something else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"comfyui: cannot read {path}: {error.strerror}", _EXPORT) from error
    try:
        graph = json.loads(data)
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}", _EXPORT) from error
    if not _is_graph(graph):
        raise InvalidInput(f"{path} is not a ComfyUI workflow in API format", _EXPORT)
    return Workflow(graph, frozenset(_names(graph)), sha256(data))


def value_of(text: str) -> Value:
    """A parameter as a workflow wants it: a number if it looks like one.

    >>> value_of("20"), value_of("7.5"), value_of("euler"), value_of("nan")
    (20, 7.5, 'euler', 'nan')
    """
    if re.fullmatch(r"-?\d+", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d+\.\d+", text, re.ASCII) else text


def _is_graph(graph: Json) -> bool:
    """The editor's own format has `nodes` and `links` instead."""
    if not isinstance(graph, dict) or not graph:
        return False
    return all(isinstance(node, dict) and "class_type" in node for node in graph.values())


def _names(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield from _PLACEHOLDER.findall(value)
        case dict():
            for inside in value.values():
                yield from _names(inside)
        case list():
            for inside in value:
                yield from _names(inside)


def _fill(value: Json, values: Mapping[str, Value]) -> Json:
    match value:
        case str():
            alone = _PLACEHOLDER.fullmatch(value)
            return values[alone[1]] if alone else _PLACEHOLDER.sub(lambda m: str(values[m[1]]), value)
        case dict():
            return {key: _fill(inside, values) for key, inside in value.items()}
        case list():
            return [_fill(inside, values) for inside in value]
    return value
