"""What a case may ask of one row of the capability table, checked before anything is sent or paid for.

It knows parameters, prompts, sources and dates of the end. Shapes are for `shapes`, prices for `prices`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from evalkit.errors import UnknownName, UsageError
from evalkit.remote.spec import Model
from evalkit.types import Case, Json

OWN = ("n", "output_format", "seed")
"""Parameters that evalkit gives a meaning of its own; all others go to the model as they are."""

DEFAULT_FORMAT = "png"


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters that will be sent, by name, and what had to be changed."""

    params: Mapping[str, str]
    notes: tuple[str, ...] = ()


def given(model: Model, params: Mapping[str, str], *, degrade: bool) -> Given:
    """Check a system's parameters against a row. With `degrade`, what it does not take is left out.

    Raises `UnknownName` for a parameter nobody has heard of, always; `UsageError` for one that this model
    does not take, and for a value it does not take.
    """
    sent, notes = {}, []
    for name, value in sorted(params.items()):
        try:
            sent[name] = _checked(model, name, value)
        except UnknownName:
            raise
        except UsageError as error:
            if not degrade:
                raise
            notes.append(f"{name}={value} left out: {error.message}")
    if "output_format" not in sent and len(model.formats) > 1:
        sent["output_format"] = DEFAULT_FORMAT if DEFAULT_FORMAT in model.formats else model.formats[0]
    if sent.get("n") == "1":
        del sent["n"]
    return Given(dict(sorted(sent.items())), tuple(notes))


def json_value(text: str) -> Json:
    """A parameter as a JSON body wants it: numbers and truth values are not texts.

    >>> json_value("7.5"), json_value("true"), json_value("high")
    (7.5, True, 'high')
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, bool):
        return value
    return value if isinstance(value, int | float) and math.isfinite(value) else text


def check_case(model: Model, case: Case, today: date) -> None:
    """Raises `UsageError` where this row cannot take the case's prompt or source, or is there no more."""
    if model.gone and today >= date.fromisoformat(model.gone):
        raise UsageError(f"{model.id} was shut down on {model.gone}", "Name another model of the provider.")
    _check_prompt(model, case)
    least, most = model.images
    if case.source is None and (case.task == "edit" or least > 0):
        raise UsageError(f"case {case.id!r} has no source picture for {model.id}", "Give it a `source`.")
    if case.source is not None and most < 1:
        raise UsageError(f"{model.id} ({model.task}) takes no source picture", "Ask a model that edits.")


def _check_prompt(model: Model, case: Case) -> None:
    least, most = model.prompt_chars
    length = len(case.prompt)
    if length < least or (most and length > most):
        allowed = f"{least} to {most}" if most else f"at least {least}"
        raise UsageError(
            f"the prompt of case {case.id!r} has {length} characters; {model.id} takes {allowed}",
            "Leave the case out for this system, or change the suite.",
        )


def _checked(model: Model, name: str, value: str) -> str:
    anything = "*" in model.params
    match name:
        case "n":
            return _count(model, value)
        case "seed":
            return _seed(model, value)
        case "output_format" if model.formats or not anything:
            return _one_of(model, name, value, model.formats)
    if name in model.params:
        return _one_of(model, name, value, model.params[name])
    if anything:
        return value
    raise UnknownName(f"parameter of {model.id}", name, _known(model))


def _known(model: Model) -> Iterator[str]:
    yield "n"
    if model.formats:
        yield "output_format"
    if model.seed:
        yield "seed"
    yield from model.params


def _count(model: Model, value: str) -> str:
    if not (value.isascii() and value.isdecimal()) or int(value) < 1:
        raise UsageError(f"n={value} is not a number of pictures", "Give a whole number from 1.")
    if int(value) > model.max_n:
        raise UsageError(
            f"{model.id} makes at most {model.max_n} per request",
            "For several pictures of each case use --replicates, which also makes them independent.",
        )
    return str(int(value))


def _seed(model: Model, value: str) -> str:
    if not model.seed and "*" not in model.params:
        raise UsageError(f"{model.id} takes no seed", "Use --replicates to see how much its pictures vary.")
    if not (value.isascii() and value.isdecimal()):
        raise UsageError(f"seed={value} is not a seed", "Give a whole number from 0.")
    return str(int(value))


def _one_of(model: Model, name: str, value: str, allowed: tuple[str, ...]) -> str:
    if allowed and value not in allowed:
        raise UsageError(f"{model.id} takes no {name}={value}", f"It takes {', '.join(allowed)}.")
    if name == "output_format" and not allowed:
        raise UsageError(f"{model.id} does not let the format be chosen", f"Leave {name} out.")
    return value
