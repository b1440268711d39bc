"""What casting a vote can come to; whoever casts one handles all of them with one `match`."""

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
    """The ticket is too old; the comparison went back to be shown again."""


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


VoteOutcome = Saved | Conflict | Expired | TooFast | NoSuchBallot | Invalid
