"""From `label=provider:model?param=value` to a provider that can be asked.

This module knows the spelling of systems and which providers exist; what a model or a parameter means is
for the provider.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from urllib.parse import parse_qsl

import evalkit.providers
from evalkit.errors import UnknownName, UsageError
from evalkit.plugins import find_classes
from evalkit.providers.base import Provider, Settings
from evalkit.providers.catalogued import catalogued
from evalkit.remote.catalog import specs
from evalkit.types import System

_HINT = (
    "A system is [label=]provider:model[?param=value&...], for example studio:clean or mine=folder:pictures/."
)


@cache
def providers() -> dict[str, type[Provider]]:
    """Every provider by name: descriptions, modules of this package, entry points `evalkit.providers`.

    Code goes before a description of the same name. Raises `InvalidInput` that names the file where a
    description cannot be read.
    """
    described: dict[str, type[Provider]] = {name: catalogued(spec) for name, spec in specs().items()}
    return described | find_classes(evalkit.providers, Provider, "evalkit.providers")


def parse_system(text: str) -> System:
    """Read one system. Raises `UsageError` for bad spelling, `UnknownName` for an unknown provider.

    >>> parse_system("best=studio:clean?size=512")
    System(provider='studio', model='clean', params={'size': '512'}, label='best')
    """
    head, colon, rest = text.partition(":")
    label, equals, provider = head.rpartition("=")
    if not colon or not provider or not rest or (equals and not label):
        raise UsageError(f"{text!r} is not a system", _HINT)
    if provider not in providers():
        raise UnknownName("provider", provider, providers())
    model, _, query = rest.partition("?")
    if not model:
        raise UsageError(f"{text!r} names no model", _HINT)
    return System(provider, model, parse_params(text, query), label)


def make_provider(system: System, settings: Settings = Settings()) -> Provider:
    """The provider that answers for a system. Raises `UnknownName` for an unknown model or parameter."""
    return providers()[system.provider](system, settings)


def parse_systems(texts: Sequence[str]) -> list[System]:
    """Read several systems; two of one name cannot be told apart and are refused."""
    systems = [parse_system(text) for text in texts]
    twice = [name for name, count in Counter(system.name for system in systems).items() if count > 1]
    if twice:
        raise UsageError(
            f"two systems are called {twice[0]!r}", "Give each its own label: --system a=... --system b=..."
        )
    return systems


def parse_params(text: str, query: str) -> dict[str, str]:
    """The parameters after the `?` of `text`. Raises `UsageError` where they cannot be read."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise UsageError(f"{text!r} has malformed parameters after '?'", _HINT) from error
    params = dict(pairs)
    if len(params) != len(pairs):
        raise UsageError(f"{text!r} sets a parameter twice", _HINT)
    return params
