"""Reading a table of TOML into a dataclass, by the dataclass's own types.

It finds every problem and not only the first, and names each by its dotted key. It knows no provider: what
the values mean together is for `checks`.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Problems:
    """What is wrong with a file, in the order it was found, each under the dotted key it has there.

    `keys` maps the beginnings of where a value ends up to where the file has it.
    """

    def __init__(self, keys: Mapping[str, str] | None = None) -> None:
        self._keys = keys or {}
        self._found: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, where: str, message: str) -> None:
        """`where` is the dotted key, such as `provider.rule[2].match`."""
        for ours, theirs in self._keys.items():
            if where.startswith(ours):
                where = theirs + where[len(ours) :]
                break
        self._found.append(f"{where}: {message}")

    def unknown(self, where: str, key: str, known: Iterable[str]) -> None:
        """A key that nothing reads."""
        names = sorted(known)
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
        guess = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
        self.add(_join(where, key), f"unknown key; {guess}")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def read_table(cls: type[T], table: object, where: str, problems: Problems) -> T | None:
    """The table as a `cls`, or None if anything in it is wrong; then `problems` says what."""
    if not isinstance(table, Mapping):
        problems.add(where, "must be a table")
        return None
    before = len(problems)
    values: dict[str, Any] = {}
    hints = _hints(cls)
    for key, value in table.items():
        if key in hints:
            values[key] = _read(hints[key], value, _join(where, key), problems)
        else:
            problems.unknown(where, key, hints)
    for name in _required(cls):
        if name not in table:
            problems.add(_join(where, name), "is missing")
    return cls(**values) if len(problems) == before else None


def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _required(cls: type) -> list[str]:
    found = fields(cls) if is_dataclass(cls) else ()
    return [f.name for f in found if f.default is MISSING and f.default_factory is MISSING]


def _read(hint: Any, value: object, where: str, problems: Problems) -> Any:
    """The value as what `hint` says; None after a problem, which the caller sees in `problems`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _choice(args, value, where, problems)
    if origin in (Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        return _read(inner[0], value, where, problems) if len(inner) == 1 else _json(value, where, problems)
    if origin is tuple:
        return _sequence(args, value, where, problems)
    if origin is Mapping:
        return _mapping(args, value, where, problems)
    if is_dataclass(hint) and isinstance(hint, type):
        return read_table(hint, value, where, problems)
    return _scalar(hint, value, where, problems)


def _choice(choices: tuple[Any, ...], value: object, where: str, problems: Problems) -> Any:
    if isinstance(value, str) and value in choices:
        return value
    problems.add(where, f"must be one of {', '.join(choices)}, and is {value!r}")
    return None


def _sequence(args: tuple[Any, ...], value: object, where: str, problems: Problems) -> Any:
    if not isinstance(value, list):
        problems.add(where, "must be a list")
        return None
    hints = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
    if len(hints) != len(value):
        problems.add(where, f"must be a list of {len(hints)} values")
        return None
    pairs = enumerate(zip(hints, value, strict=True))
    return tuple(_read(hint, item, f"{where}[{i}]", problems) for i, (hint, item) in pairs)


def _mapping(args: tuple[Any, ...], value: object, where: str, problems: Problems) -> Any:
    if not isinstance(value, Mapping):
        problems.add(where, "must be a table")
        return None
    key_hint, hint = args
    choices = get_args(key_hint) if get_origin(key_hint) is Literal else None
    for key in value:
        if choices is not None and key not in choices:
            problems.unknown(where, key, choices)
    return {key: _read(hint, item, _join(where, key), problems) for key, item in value.items()}


def _json(value: object, where: str, problems: Problems) -> Any:
    if isinstance(value, list):
        return [_json(item, f"{where}[{i}]", problems) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {key: _json(item, _join(where, key), problems) for key, item in value.items()}
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    problems.add(where, "is nothing that JSON can hold; put dates into quotes")
    return None


def _scalar(hint: Any, value: object, where: str, problems: Problems) -> Any:
    reader, what = _SCALARS[hint]
    read = reader(value)
    if read is None:
        problems.add(where, f"must be {what}, and is {value!r}")
    return read


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fine and isinstance(value, int | float) else None


def _money(value: object) -> Decimal | None:
    """A float has already lost what it was; only texts keep it."""
    try:
        amount = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


_SCALARS: Mapping[Any, tuple[Callable[[object], Any], str]] = {
    str: (_text, "a text"),
    bool: (_truth, "true or false"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
    Decimal: (_money, 'an amount in quotes, such as "0.05"'),
}
