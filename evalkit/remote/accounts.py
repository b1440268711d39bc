"""Where a provider is reached and with what key: a description and the environment, put together.

A key is read when it is needed and kept in no other place; nothing here shows one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evalkit.errors import UsageError
from evalkit.remote.spec import Spec


@dataclass(frozen=True, slots=True)
class Account:
    """One provider as this machine may use it. `moved`: every host is the one base of the environment.

    `secret` is what the provider is to sign webhooks with. An empty base is nowhere.
    """

    base: str
    hosts: Mapping[str, str]
    key: str = field(repr=False)
    moved: bool = False
    secret: str = field(default="", repr=False)


def base_variable(name: str) -> str:
    """The variable that moves all of a provider's hosts to one place.

    >>> base_variable("my-lab")
    'EVALKIT_MY_LAB_BASE'
    """
    return f"EVALKIT_{name.upper().replace('-', '_')}_BASE"


def account(spec: Spec, environ: Mapping[str, str] = os.environ) -> Account:
    """Base, hosts and key; an empty key where none is set.

    Raises `UsageError` for a base that is no URL, and for a key with characters that no key has.
    """
    key = next(_keys(spec, environ), "")
    secret = environ.get(spec.webhook_env, "").strip() if spec.webhook_env else ""
    variable = base_variable(spec.name)
    moved = environ.get(variable, "").strip()
    if moved:
        base = _with_path(_checked(moved, variable), spec.base)
        return Account(base, dict.fromkeys(spec.hosts, base), key, True, secret)
    own = environ.get(spec.base_env, "").strip() if spec.base_env else ""
    given = spec.base if _is_whole(spec.base) else ""
    base = _with_path(_checked(own, spec.base_env), spec.base) if own else given
    return Account(base.rstrip("/"), dict(spec.hosts), key, secret=secret)


def missing(spec: Spec, environ: Mapping[str, str] = os.environ) -> str:
    """The names of what has to be set before this provider can be asked, empty if nothing has to be.

    >>> from evalkit.remote.spec import Out
    >>> missing(Spec("x", "", "https://x.example", {}, (), Out(), env=("X_KEY", "X_ID:X_SECRET")), {})
    'X_KEY (or X_ID and X_SECRET)'
    """
    wanted = []
    moved = environ.get(base_variable(spec.name), "").strip() or not spec.base_env
    if not moved and not _is_whole(spec.base) and not environ.get(spec.base_env, "").strip():
        wanted.append(spec.base_env)
    if spec.env and not spec.auth.optional and not any(_joined(entry, environ) for entry in spec.env):
        first, *others = (entry.replace(":", " and ") for entry in spec.env)
        wanted.append(first + (f" (or {', or '.join(others)})" if others else ""))
    return " and ".join(wanted)


def _keys(spec: Spec, environ: Mapping[str, str]) -> Iterator[str]:
    for entry in spec.env:
        if key := _joined(entry, environ):
            if not all(" " <= character <= "~" for character in key):
                raise UsageError(
                    f"the key in {entry.replace(':', ' and ')} holds characters that no key has",
                    "Copy it again: line breaks and typographic characters often come with a paste.",
                )
            yield key


def _joined(entry: str, environ: Mapping[str, str]) -> str:
    """The values of `A` or `A:B`, joined by a colon; empty if one of them is."""
    parts = [environ.get(name, "").strip() for name in entry.split(":")]
    return ":".join(parts) if all(parts) else ""


def _is_whole(base: str) -> bool:
    """Whether requests can go there as it is: a URL, and none with a place to fill in (`https://RESOURCE.x`)."""
    return _is_url(base) and base == base.lower()


def _is_url(base: str) -> bool:
    return base.startswith(("https://", "http://"))


def _checked(base: str, variable: str) -> str:
    """The value is not shown: somebody may have put a password into it."""
    try:
        url = urlsplit(base)
        good = _is_url(base) and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    printable = all("!" <= character <= "~" for character in base)
    if not good or not printable or url.username or url.query or url.fragment:
        raise UsageError(
            f"{variable} is not the address of a service",
            "Give scheme, host and perhaps a path, such as https://host.example/v1.",
        )
    return base.rstrip("/")


def _with_path(base: str, path: str) -> str:
    """A base that only lacks the path (`/mai/v1`) that every account of the provider has."""
    path = path.rstrip("/") if path.startswith("/") else ""
    return base if base.endswith(path) else base + path
