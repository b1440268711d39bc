"""Every error evalkit raises on purpose, in one tree.

    EvalkitError                 exit 2   has a message and a hint: what to do next
    |-- UsageError               exit 2   the command line or an argument is wrong
    |   `-- UnknownName          exit 2   no such suite, system, metric, ...; says "did you mean"
    |-- InvalidInput             exit 2   a file that was read is not what it should be
    |   `-- SuiteProblems        exit 2   every problem of a suite at once, with file and line
    |-- WorkspaceError           exit 2   the workspace cannot be used as it is
    |   |-- WorkspaceTooNew      exit 2   written by a newer evalkit
    |   `-- Locked               exit 2   another process is at work on the same thing
    |-- StorageError             exit 2   the disk is full or not writable; nothing recorded is lost
    |-- WeightsMissing           exit 2   a model file is not there; the hint is the command that fetches it
    |-- BudgetReached            exit 5   the next request could pass the cap
    `-- LaneStopped              exit 3   a key or a balance stopped one provider

`exit_code` is what the process ends with; the whole table is in docs/user-guide.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class EvalkitError(Exception):
    """Base of all deliberate errors. `hint` says what to do next and may be empty."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EvalkitError):
    """The command line or an argument is wrong."""


class UnknownName(UsageError):
    """A name that nothing answers to; the hint offers the nearest ones.

    >>> UnknownName("metric", "lpisp", ["clip", "lpips"]).hint
    'Did you mean lpips? Known: clip, lpips.'
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        guess = f"Did you mean {' or '.join(near)}? " if near else ""
        listing = f"Known: {', '.join(names)}." if names else f"There is no {what} yet."
        super().__init__(f"unknown {what} {name!r}", guess + listing)


class InvalidInput(EvalkitError):
    """A file that was read is not what it should be."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one place of a file the user wrote."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class SuiteProblems(InvalidInput):
    """Every problem of a suite at once; the message lists the first `shown` of them."""

    shown: ClassVar[int] = 100

    def __init__(self, suite: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("" if len(problems) == 1 else "s")
        listing = "\n".join(f"  {p}" for p in problems[: self.shown])
        if len(problems) > self.shown:
            listing += f"\n  ... and {len(problems) - self.shown} more"
        super().__init__(
            f"suite {suite!r} has {count}:\n{listing}", f"Fix them, then: evalkit suite validate {suite}"
        )


class WorkspaceError(EvalkitError):
    """The workspace cannot be used as it is."""


class WorkspaceTooNew(WorkspaceError):
    """Written by a newer evalkit."""


class Locked(WorkspaceError):
    """Another process is at work on the same thing."""


class StorageError(EvalkitError):
    """The disk is full or not writable; what was recorded before stays valid."""


class WeightsMissing(EvalkitError):
    """A model file is not there; `hint` is the command that fetches it."""


class BudgetReached(EvalkitError):
    """The next request could pass the cap."""

    exit_code = 5


class LaneStopped(EvalkitError):
    """A key or a balance stopped one provider; the others finished."""

    exit_code = 3
