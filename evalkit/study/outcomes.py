"""What casting a vote or taking it back can come to; whoever does it handles all of them with one `match`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Saved:
    """The vote is on the disk. Casting the same vote again gives the same receipt."""

    receipt: str
    saved_at: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """This ballot was cast before, with other answers; those count."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The ticket is too old, and the comparison went back to be shown again; or a picture was withdrawn."""


@dataclass(frozen=True, slots=True)
class TooFast:
    """Voted before the pictures could have been looked at; may be tried again in `retry_ms`."""

    retry_ms: int


@dataclass(frozen=True, slots=True)
class NoSuchBallot:
    """Not a ticket of this study and this rater."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """The answers do not fit the questions; `message` says how."""

    message: str


@dataclass(frozen=True, slots=True)
class Undone:
    """The vote no longer counts, and that is on the disk. Taking it back once more says the same."""

    undone_at: str


VoteOutcome = Saved | Conflict | Expired | TooFast | NoSuchBallot | Invalid
UndoOutcome = Undone | NoSuchBallot
