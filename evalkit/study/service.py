"""A study that is open to raters: hands out blind ballots, takes votes, serves pictures.

All state is rebuilt from `votes/<study>/*.jsonl` on opening, and a vote is on the disk before it is
acknowledged. Nothing a caller gets names a system, a trial or an object; see `evalkit.study.tickets`.
Who a rater is, is for the caller (`evalkit.study.http`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType

from evalkit.errors import StorageError
from evalkit.ids import digest
from evalkit.images import ImageProblem
from evalkit.store import Workspace
from evalkit.study.ballots import Box, Cast, Sheet, after
from evalkit.study.client import telemetry, visible_ms
from evalkit.study.criteria import criteria_for
from evalkit.study.define import StudyDefinition, load_study
from evalkit.study.outcomes import (
    Conflict,
    Expired,
    Invalid,
    NoSuchBallot,
    Saved,
    TooFast,
    Undone,
    UndoOutcome,
    VoteOutcome,
)
from evalkit.study.pictures import Pictures, Stimulus
from evalkit.study.sampling import Board, Cell, Item, Sampling, won
from evalkit.study.sources import ShownCase, read_run
from evalkit.study.tickets import Handle, Side, Ticket, Tickets, study_secret
from evalkit.study.withdrawals import read_withdrawals
from evalkit.types import SKIP, Comparison, Json, Task

TICKET_SECONDS = 1800.0
SWEEP_SECONDS = 10.0
MAX_OPEN = 5
"""Ballots one rater can hold at a time: the pair on the screen and those loaded ahead."""
CLOCK_SECONDS = 0.001
"""A ticket that is older than an undo by more than this was given out before it."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How a study is run.

    `min_view_ms`: a vote on a pair that was seen for less is `TooFast`. `ticket_seconds`: how long a
    ballot may stay unanswered before somebody else gets the comparison. `durable=False` leaves syncing
    to the operating system for at most 50 ms, which is for simulations. `clock` gives unix seconds.
    """

    min_view_ms: int = 0
    ticket_seconds: float = TICKET_SECONDS
    durable: bool = True
    simulated: bool = False
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Ballot:
    """One pair to be judged, as far as a rater may know it.

    `id` tells ballots apart and nothing else. `left`, `right` and `source` are image handles, new each
    time the ballot is handed out. `criteria` are the ids of the questions, in order.
    """

    id: str
    ticket: str
    task: Task
    prompt: str
    criteria: tuple[str, ...]
    left: str
    right: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Ballots this rater has cast, and how many there are for one rater in all."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Lease:
    comparison: str
    left: Side
    propensity: float | None
    pair_propensity: float | None
    issued: float


class StudyService:
    """One study, open. Thread-safe; several processes may serve the same study."""

    def __init__(self, workspace: Workspace, study: str, options: ServiceOptions = ServiceOptions()) -> None:
        self.definition: StudyDefinition = load_study(workspace, study)
        self.options = options
        self.tickets = Tickets(study_secret(workspace, study))
        self._workspace = workspace
        self._cases = read_run(workspace, self.definition.run).cases
        self._comparisons = {c.id: c for c in self.definition.comparisons}
        gone = read_withdrawals(workspace, study)
        self._shown = {c.id for c in self.definition.comparisons if not {c.trial_a, c.trial_b} & gone.keys()}
        self._pictures = Pictures(workspace.objects)
        self._lock = threading.Lock()
        self._open: defaultdict[str, dict[str, _Lease]] = defaultdict(dict)
        self._swept = 0.0
        self._board = Board(
            (self._item(c) for c in self.definition.comparisons if c.id in self._shown),
            self.definition.seed,
            Sampling(self.definition.sampling),
        )
        self._done: Counter[str] = Counter()
        self._box = Box(workspace, study)
        for cast in self._box.casts.values():
            self._count(cast)

    def next(self, rater: str, k: int = 1) -> list[Ballot]:
        """Up to `k` open ballots of this rater: those not yet voted on first, then new ones.

        Asking again, after a reload say, gives the same ballots. Empty means the rater has seen it all.
        """
        wanted = max(1, min(k, MAX_OPEN))
        now = self.options.clock()
        with self._lock:
            self._sweep(now)
            held = self._open[rater]
            while len(held) < wanted and (pick := self._board.pick(rater)) is not None:
                held[self.tickets.ballot_id(rater, pick.comparison)] = _Lease(
                    pick.comparison, pick.left, pick.propensity, pick.pair_propensity, now
                )
            leases = {ballot: replace(lease, issued=now) for ballot, lease in list(held.items())[:wanted]}
            held.update(leases)
        return [self._ballot(self._ticket(rater, ballot, lease)) for ballot, lease in leases.items()]

    def vote(
        self, rater: str, ticket: str, answers: Mapping[str, str], client: Mapping[str, Json] | None = None
    ) -> VoteOutcome:
        """Cast a ballot. Returns when it is on the disk; raises `StorageError` if that cannot be."""
        opened = self.tickets.open_ballot(ticket)
        if opened is None or opened.rater != rater or opened.comparison not in self._comparisons:
            return NoSuchBallot()
        told = telemetry(client or {})
        with self._lock:
            outcome = self._earlier(opened, answers) or self._check(opened, answers, told)
            if outcome is None:
                outcome = self._write(opened, answers, told)
        if isinstance(outcome, Saved) and self.options.durable:
            self._box.sync()
        return outcome

    def undo(self, rater: str, ballot: str) -> UndoOutcome:
        """Take back a vote of this rater, who gets the same pair again; `ballot` is its id or its ticket.

        Returns when it is on the disk; raises `StorageError` if that cannot be. Asking again changes nothing.
        """
        opened = self.tickets.open_ballot(ballot)
        name = opened.ballot if opened else ballot
        with self._lock:
            self._catch_up()
            outcome = self._take_back(rater, name)
        if isinstance(outcome, Undone) and self.options.durable:
            self._box.sync()
        return outcome

    def image(self, handle: str) -> bytes | None:
        """The picture behind a handle as WebP; None if the handle is wrong, expired or has no picture."""
        opened = self.tickets.open_image(handle)
        if opened is None or opened.expires < self.options.clock():
            return None
        try:
            return self._pictures.get(Stimulus(opened.image, opened.beside))
        except (ImageProblem, StorageError):
            return None

    def prepare(self, ballots: Sequence[Ballot]) -> None:
        """Start encoding the pictures of these ballots; returns at once."""
        for ballot in ballots:
            for handle in (ballot.left, ballot.right, ballot.source):
                opened = self.tickets.open_image(handle) if handle else None
                if opened is not None:
                    self._pictures.prepare(Stimulus(opened.image, opened.beside))

    def progress(self, rater: str) -> Progress:
        """How far this rater is."""
        return Progress(self._done[rater], len(self._shown))

    def close(self) -> None:
        """Sync the votes and let go of everything."""
        self._pictures.close()
        with self._lock:
            self._box.close()

    def __enter__(self) -> StudyService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reveal(self, ballot: Ballot) -> tuple[Comparison, str]:
        """What a ballot is about, and the system on its left: for simulations, never for a rater."""
        ticket = self.tickets.open_ballot(ballot.ticket)
        assert ticket is not None, "a ballot carries the ticket this service sealed"
        comparison = self._comparisons[ticket.comparison]
        return comparison, comparison.system_a if ticket.left == "a" else comparison.system_b

    def case_of(self, comparison: str) -> ShownCase:
        """The case a comparison is about."""
        found = self._comparisons[comparison]
        return self._cases[found.suite, found.case]

    def _item(self, comparison: Comparison) -> Item:
        case = self.case_of(comparison.id)
        cell = Cell(case.category, comparison.system_a, comparison.system_b)
        return Item(comparison.id, case.key, cell)

    def _ticket(self, rater: str, ballot: str, lease: _Lease) -> Ticket:
        return Ticket(
            ballot=ballot,
            comparison=lease.comparison,
            left=lease.left,
            rater=rater,
            issued=lease.issued,
            propensity=lease.propensity,
            pair_propensity=lease.pair_propensity,
        )

    def _ballot(self, ticket: Ticket) -> Ballot:
        comparison = self._comparisons[ticket.comparison]
        case = self.case_of(ticket.comparison)
        images = [comparison.image_a, comparison.image_b]
        left, right = images if ticket.left == "a" else reversed(images)
        return Ballot(
            id=ticket.ballot,
            ticket=self.tickets.seal_ballot(ticket),
            task=case.task,
            prompt=case.prompt,
            criteria=self._questions(case.task),
            left=self._handle(ticket, "left", left, right),
            right=self._handle(ticket, "right", right, left),
            source=self._handle(ticket, "source", case.source, None) if case.source else None,
        )

    def _handle(self, ticket: Ticket, side: str, image: str, beside: str | None) -> str:
        expires = ticket.issued + self.options.ticket_seconds
        return self.tickets.seal_image(Handle(image, beside, ticket.ballot, side, expires))

    def _questions(self, task: Task) -> tuple[str, ...]:
        return tuple(criterion.id for criterion in criteria_for(task, self.definition.criteria))

    def _earlier(self, ticket: Ticket, answers: Mapping[str, str]) -> VoteOutcome | None:
        """What a ballot that was cast before comes to now: the same receipt, or a conflict."""
        if ticket.ballot in self._box.casts or ticket.ballot in self._box.undone:
            self._catch_up()
        cast = self._box.casts.get(ticket.ballot)
        if cast is None:
            return None
        return self._saved(cast) if dict(cast.answers) == dict(answers) else Conflict()

    def _check(
        self, ticket: Ticket, answers: Mapping[str, str], told: Mapping[str, Json]
    ) -> VoteOutcome | None:
        """What speaks against a vote that was not cast before; None if nothing does."""
        now = self.options.clock()
        if now - ticket.issued > self.options.ticket_seconds or self._void(ticket):
            return Expired()
        seen_ms = min(visible_ms(told), (now - ticket.issued) * 1000.0)
        if seen_ms < self.options.min_view_ms:
            return TooFast(round(self.options.min_view_ms - seen_ms))
        problem = self._problem(self.case_of(ticket.comparison).task, answers)
        return Invalid(problem) if problem else None

    def _void(self, ticket: Ticket) -> bool:
        """Whether a ticket is of a withdrawn pair, or was given out before its vote was undone."""
        undo = self._box.undone.get(ticket.ballot)
        stale = undo is not None and ticket.issued < _unix(undo.t) - CLOCK_SECONDS
        return stale or ticket.comparison not in self._shown

    def _problem(self, task: Task, answers: Mapping[str, str]) -> str | None:
        asked = {c.id: c.answers for c in criteria_for(task, self.definition.criteria)}
        if unknown := sorted(set(answers) - set(asked)):
            return f"no such question: {', '.join(unknown)}"
        if missing := [name for name in asked if name not in answers]:
            return f"not answered: {', '.join(missing)}"
        wrong = [name for name, answer in answers.items() if answer not in (*asked[name], SKIP)]
        return f"not an answer to {wrong[0]}; use one of {', '.join(asked[wrong[0]])}" if wrong else None

    def _write(self, ticket: Ticket, answers: Mapping[str, str], told: Mapping[str, Json]) -> Saved:
        undo = self._box.undone.get(ticket.ballot)
        sheet = Sheet(
            study=self.definition.study,
            ticket=ticket,
            comparison=self._comparisons[ticket.comparison],
            answers=answers,
            client=told,
            t=after(self._now(), undo.t) if undo else self._now(),
            simulated=self.options.simulated or self.definition.simulated,
        )
        cast = self._box.put(sheet)
        self._open[ticket.rater].pop(ticket.ballot, None)
        self._count(cast)
        return self._saved(cast)

    def _take_back(self, rater: str, ballot: str) -> UndoOutcome:
        undo, cast = self._box.undone.get(ballot), self._box.casts.get(ballot)
        if undo is not None and undo.rater == rater:
            return Undone(undo.t)
        if cast is None or cast.rater != rater:
            return NoSuchBallot()
        undo = self._box.take_back(cast, self._now())
        self._count(cast, -1)
        if cast.comparison in self._shown:
            self._open[rater] = {ballot: self._lease(cast), **self._open[rater]}
        return Undone(undo.t)

    def _lease(self, cast: Cast) -> _Lease:
        """The ballot as it was shown: the same sides, chosen with the same probability."""
        now = self.options.clock()
        return _Lease(cast.comparison, self._left(cast), cast.propensity, cast.pair_propensity, now)

    def _left(self, cast: Cast) -> Side:
        return "a" if self._comparisons[cast.comparison].system_a == cast.left else "b"

    def _catch_up(self) -> None:
        """Learn what other processes that serve this study have written, all votes in order of time."""
        before = dict(self._box.casts)
        if not self._box.catch_up():
            return
        for ballot, cast in before.items():
            self._count(cast, -1)
            if ballot not in self._box.casts:
                self._board.give_back(cast.rater, cast.comparison)
        for cast in self._box.casts.values():
            self._count(cast)

    def _count(self, cast: Cast, step: int = 1) -> None:
        """A vote is there, or (`step` -1) no longer; its comparison stays with its rater."""
        if cast.comparison in self._shown:
            self._done[cast.rater] += step
            if step < 0:
                self._board.forget(cast.rater, cast.comparison)
            else:
                outcome = won(cast.answers.values(), self._left(cast))
                self._board.take(cast.rater, cast.comparison, outcome)

    def _now(self) -> str:
        return datetime.fromtimestamp(self.options.clock(), UTC).isoformat(timespec="microseconds")

    def _saved(self, cast: Cast) -> Saved:
        return Saved(self.tickets.mark(digest([cast.ballot, dict(cast.answers), cast.t]))[:16], cast.t)

    def _sweep(self, now: float) -> None:
        """Give back what was handed out and never voted on."""
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for rater, held in self._open.items():
            for ballot in [
                b for b, lease in held.items() if now - lease.issued > self.options.ticket_seconds
            ]:
                self._board.give_back(rater, held.pop(ballot).comparison)


def _unix(t: str) -> float:
    return datetime.fromisoformat(t).timestamp()
