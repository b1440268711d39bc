"""Which metrics there are, and how `clip[model=mini],ocr` becomes a list of them.

Every file of this folder is looked at, then the entry-point group `evalkit.metrics`. Finding a metric
imports its module but none of its libraries: metric modules import torch and friends inside functions.
A plug-in that fails to load warns and is left out; it never takes the others with it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import evalkit.metrics
from evalkit.errors import UnknownName, UsageError
from evalkit.metrics.base import Metric
from evalkit.plugins import find_classes

GROUP = "evalkit.metrics"
DEFAULT_METRICS = "clip,edit,lpips,ocr,pixels,faults,delivery,product"
DEMO_METRICS = "clip[model=mini],edit[model=mini],lpips[trunk=mini],ocr,pixels,faults,delivery"


@functools.cache
def known() -> Mapping[str, type[Metric]]:
    """Name -> class of every metric that can be used here; our own win over a plug-in of the same name."""
    return find_classes(evalkit.metrics, Metric, GROUP)


def parse(text: str) -> list[Metric]:
    """`name` or `name[key=value,...]`, separated by commas, as metric objects.

    >>> [spec(m) for m in parse("pixels, lpips[trunk=mini]")]
    ['pixels', 'lpips[trunk=mini]']

    Raises `UnknownName` for an unknown metric or option, `UsageError` for anything malformed.
    """
    metrics = [make(*_name_and_options(item)) for item in _split(text)]
    if not metrics:
        raise UsageError("no metric is named", f"For example: --metrics {DEFAULT_METRICS}")
    _refuse_repeats([spec(metric) for metric in metrics])
    return metrics


def make(name: str, options: Mapping[str, str] | None = None) -> Metric:
    """One metric by name. Raises `UnknownName` for the name or any option."""
    classes = known()
    if name not in classes:
        raise UnknownName("metric", name, classes)
    metric = classes[name]
    if options and not metric.defaults:
        raise UsageError(f"{name} takes no options", f"Write just: {name}")
    for key in options or {}:
        if key not in metric.defaults:
            raise UnknownName(f"option of {name}", key, metric.defaults)
    return metric(options)


def spec(metric: Metric) -> str:
    """The shortest text that `parse` turns into this metric: only options that differ from the defaults."""
    options = sorted(metric.options.items())
    changed = [f"{key}={value}" for key, value in options if metric.defaults.get(key) != value]
    return metric.name + (f"[{','.join(changed)}]" if changed else "")


def _split(text: str) -> list[str]:
    """Parts between commas that stand outside brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if depth not in (0, 1):
            raise UsageError(f"brackets do not match in {text!r}", _SHAPE)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    if depth:
        raise UsageError(f"a bracket is not closed in {text!r}", _SHAPE)
    return [part.strip() for part in parts if part.strip()]


def _name_and_options(item: str) -> tuple[str, dict[str, str]]:
    name, bracket, rest = item.partition("[")
    if not bracket:
        return name, {}
    if not name or not rest.endswith("]"):
        raise UsageError(f"cannot read the metric {item!r}", _SHAPE)
    options: dict[str, str] = {}
    for pair in rest[:-1].split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value) or key in options:
            raise UsageError(f"cannot read the option {pair!r} of {name!r}", _SHAPE)
        options[key] = value
    return name, options


def _refuse_repeats(specs: list[str]) -> None:
    for text in specs:
        if specs.count(text) > 1:
            raise UsageError(f"{text!r} is asked for twice", "Name each metric once.")


_SHAPE = "Write name or name[key=value,key=value], for example: clip[model=mini],ocr"
