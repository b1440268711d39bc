"""Whatever raters do and whenever the server is killed: no vote lost, none counted twice, none changed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from make_run import cases, make_run

from evalkit.store import Workspace
from evalkit.study.define import create_study
from evalkit.study.outcomes import Conflict, Saved
from evalkit.study.service import Ballot, ServiceOptions, StudyService

ANSWERS = st.sampled_from(["left", "right", "tie", "both_bad"])
RATERS = st.sampled_from(["r1", "r2"])


class Votes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.workspace = Workspace.open(Path(self.folder.name) / "ws")
        make_run(self.workspace, cases(3, edits=1))
        create_study(self.workspace, "s", "r1")
        self.services: list[StudyService] = []
        self.start()
        self.shown: list[tuple[str, Ballot]] = []
        self.acknowledged: dict[str, tuple[dict[str, str], str]] = {}

    def start(self) -> None:
        self.service = StudyService(self.workspace, "s", ServiceOptions(durable=False))
        self.services.append(self.service)

    @rule(rater=RATERS, k=st.integers(1, 4))
    def look(self, rater: str, k: int) -> None:
        self.shown += [(rater, ballot) for ballot in self.service.next(rater, k)]

    @precondition(lambda self: self.shown)
    @rule(which=st.integers(0, 999), answer=ANSWERS)
    def vote(self, which: int, answer: str) -> None:
        """Any ballot ever shown, voted on already or not, by an old ticket or a new one."""
        rater, ballot = self.shown[which % len(self.shown)]
        answers = dict.fromkeys(ballot.criteria, answer)
        outcome = self.service.vote(rater, ballot.ticket, answers)
        earlier = self.acknowledged.get(ballot.id)
        if earlier is not None and earlier[0] != answers:
            assert outcome == Conflict()
            return
        assert isinstance(outcome, Saved)
        assert earlier is None or earlier[1] == outcome.receipt
        self.acknowledged[ballot.id] = (answers, outcome.receipt)

    @rule(tear=st.booleans())
    def kill(self, tear: bool) -> None:
        """The process is gone without a goodbye, perhaps in the middle of writing a line."""
        files = sorted((self.workspace.votes / "s").glob("*.jsonl"), key=lambda p: p.stat().st_mtime_ns)
        if tear and files:
            with files[-1].open("ab") as file:
                file.write(b'{"v":1,"type":"ballot","ballot":"' + str(len(files)).encode())
        self.start()

    @invariant()
    def the_files_say_what_was_acknowledged(self) -> None:
        written: dict[str, dict[str, str]] = {}
        for path in (self.workspace.votes / "s").glob("*.jsonl"):
            for line in path.read_text().splitlines():
                if line.endswith("}"):
                    record = json.loads(line)
                    assert record["ballot"] not in written
                    written[record["ballot"]] = record["answers"]
        assert written == {ballot: answers for ballot, (answers, _) in self.acknowledged.items()}

    @invariant()
    def no_rater_judges_a_comparison_twice(self) -> None:
        for rater in ("r1", "r2"):
            open_now = {ballot.id for ballot in self.service.next(rater, 1)}
            assert not open_now & set(self.acknowledged)

    def teardown(self) -> None:
        for service in self.services:
            service.close()
        self.folder.cleanup()


TestVotes = Votes.TestCase
TestVotes.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
