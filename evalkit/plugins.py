"""Finding what is plugged in: one module per thing in a folder of ours, and entry points of others.

A plug-in of somebody else that fails to load is warned about and left out; it never takes evalkit down.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def find_classes(package: ModuleType, base: type[T], group: str) -> dict[str, type[T]]:
    """Subclasses of `base` that have a `name`, by name: our modules first, then entry points of `group`."""
    found: dict[str, type[T]] = {}
    for module in _modules(package):
        for cls in _named_subclasses(module, base):
            found[vars(cls)["name"]] = cls
    for entry in entry_points(group=group):
        try:
            loaded = entry.load()
        except Exception as error:
            warnings.warn(f"plug-in {entry.name!r} of {group} does not load: {error}", stacklevel=2)
            continue
        if inspect.isclass(loaded) and issubclass(loaded, base):
            found.setdefault(entry.name, loaded)
        else:
            warnings.warn(f"plug-in {entry.name!r} of {group} is not a {base.__name__}", stacklevel=2)
    return found


def _modules(package: ModuleType) -> list[ModuleType]:
    names = sorted(
        info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")
    )
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


def _named_subclasses(module: ModuleType, base: type[T]) -> list[type[T]]:
    return [
        cls
        for cls in vars(module).values()
        if inspect.isclass(cls)
        and issubclass(cls, base)
        and cls.__module__ == module.__name__
        and "name" in vars(cls)
    ]
