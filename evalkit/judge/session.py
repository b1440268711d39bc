"""One judging from beginning to end: what is asked, what it costs, sending it, writing down what it says.

It joins the parts of this package. What is printed, and how a rehearsal is arranged, is for
`evalkit.cli.judge`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from evalkit.errors import StorageError, UsageError
from evalkit.judge.anchors import REPEATS, AnchorUse, ask_anchors, occasion_of
from evalkit.judge.answers import Answer, read_answers
from evalkit.judge.drift import Drift, drifts, read_readings
from evalkit.judge.judges import Library, make_judge
from evalkit.judge.pairs import WinRate, pair_records, win_rates
from evalkit.judge.planning import FOLDER, plan_judging
from evalkit.judge.questions import Kind, ask_about, candidates
from evalkit.judge.readings import Occasion, anchor_records, append_facts
from evalkit.judge.scoring import Tally, judged, write_scores
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Provider, Settings
from evalkit.runner.execute import RunOptions, RunReport, UnknownTrial, execute, unknown_trials
from evalkit.runner.todo import sort_out
from evalkit.runs import Plan, read_history, save_plan
from evalkit.store import Workspace
from evalkit.types import System


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be judged, by whom. `cases` and `limit` take a part of the run only.

    `repeats` is how often each anchor is asked, 0 for none. `occasion` asks them anew under that name; if it
    is empty, they are asked once for everything that is asked about the run.
    """

    judge: System
    kinds: tuple[Kind, ...]
    cases: tuple[str, ...] = ()
    limit: int | None = None
    repeats: int = REPEATS
    occasion: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the pictures are, and where answers and scores go: the same workspace but for a rehearsal."""

    pictures: Workspace
    facts: Workspace

    @property
    def judging(self) -> Workspace:
        return Workspace.open(self.facts.root / FOLDER)


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a judging will send and cost, in US dollars. `anchors` are among the `questions`.

    `answered` have an end already, `to_ask` are sent, and the rest may have been billed and is looked at
    only. `expected` and `worst` are of those that are sent, `for_anchors` is the anchors' part of what is
    expected; `spent` is what the others have cost.
    """

    questions: int
    anchors: int
    answered: int
    to_ask: int
    expected: Decimal
    worst: Decimal
    for_anchors: Decimal
    spent: Decimal


@dataclass(slots=True)
class JudgeReport:
    """What a judging came to."""

    run: str
    judge: str
    ran: RunReport
    tally: Tally = field(default_factory=Tally)
    win_rates: list[WinRate] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    """The models that answered, as the endpoint calls them."""


class Session:
    """One judging of one run. Making it draws anchors and sends nothing; `run` does.

    Raises `UsageError` for a run without pictures, and where nobody knows the price.
    """

    def __init__(
        self,
        places: Places,
        judged_plan: Plan,
        wish: Wish,
        settings: Settings = Settings(),
        progress: Progress = SILENT,
    ) -> None:
        self.places, self.judged, self.wish = places, judged_plan, wish
        self.judging = places.judging
        found = candidates(places.pictures, judged_plan, wish.cases, wish.limit)
        if not found:
            raise UsageError(
                f"the run {judged_plan.run!r} has no picture to judge", "Run it first: evalkit run"
            )
        self.sheet = ask_about(found, wish.kinds)
        if not self.sheet.questions:
            raise UsageError("there is nothing to ask", "Pairs take pictures of at least two systems.")
        self.occasion = wish.occasion or occasion_of(self.sheet, wish.judge.spec)
        self.anchors = self._ask_anchors(progress)
        self.judge = make_judge(wish.judge, Library(self.sheet.questions, self._load), settings)
        self.plan = plan_judging(judged_plan, self.judge, self.sheet)

    def quote(self, options: RunOptions = RunOptions()) -> Quoted:
        """What `run` would send, and what that may cost."""
        plan = self.plan.plan
        history = read_history(self.judging, plan.trials)
        failed, unknown = options.retry_failed, options.resubmit_unknown
        todo = sort_out(plan, history, self._providers, retry_failed=failed, resubmit=unknown)
        keys, anchored = list(self.sheet.questions), {use.key for use in self.anchors}
        sent = [keys[position] for position in todo.ask.get(0, ())]
        prices = {key: self.judge.price(self.sheet.questions[key]) for key in sent}
        return Quoted(
            questions=len(keys),
            anchors=len(anchored),
            answered=todo.made.total(),
            to_ask=len(sent),
            expected=sum((price.expected for price in prices.values()), Decimal(0)),
            worst=sum((price.worst for price in prices.values()), Decimal(0)),
            for_anchors=sum((prices[key].expected for key in sent if key in anchored), Decimal(0)),
            spent=history.spent,
        )

    def unknown(self) -> list[UnknownTrial]:
        """Questions that may have been billed, and nobody knows what came of them."""
        return unknown_trials(self.plan.plan, read_history(self.judging, self.plan.plan.trials))

    def run(self, options: RunOptions, progress: Progress = SILENT) -> JudgeReport:
        """Ask what has not been asked, and write down what all answers say. Raises what `execute` raises."""
        plan = save_plan(self.judging, self.plan.plan)
        ran = execute(self.judging, plan, self._providers, options, progress)
        return self.settle(ran)

    def settle(self, ran: RunReport) -> JudgeReport:
        """Scores, pairs and drift out of the answers that there are."""
        answers = read_answers(self.judging, self.plan.trials)
        run, judge = self.judged.run, self.wish.judge.spec
        report = JudgeReport(run, judge, ran, models=_models(answers))
        report.tally = write_scores(self.places.facts, run, judge, list(judged(self.sheet, answers)))
        occasion = Occasion(run, judge, self.occasion)
        pairs = list(pair_records(run, judge, self.sheet, answers))
        anchored = list(anchor_records(occasion, self.sheet, self.anchors, answers))
        append_facts(self.places.facts, [*pairs, *anchored])
        if anchored:
            report.drifts = drifts(read_readings(self.places.facts, judge), self.occasion)
        if pairs:
            report.win_rates = self._win_rates()
        return report

    @property
    def _providers(self) -> Mapping[str, Provider]:
        return {self.wish.judge.name: self.judge}

    def _ask_anchors(self, progress: Progress) -> Sequence[AnchorUse]:
        when = self.occasion, self.wish.repeats
        if not self.wish.repeats:
            return ()
        return ask_anchors(self.judging, self.sheet, self.wish.kinds, when, progress)

    def _win_rates(self) -> list[WinRate]:
        from evalkit.warehouse import connect

        with connect(self.places.facts) as db:
            return win_rates(db, self.judged.run, self.wish.judge.spec)

    def _load(self, sha: str) -> bytes:
        """A picture's bytes: an anchor's, or one that the run made or started from."""
        objects = self.judging.objects
        try:
            return (objects if sha in objects else self.places.pictures.objects).get(sha)
        except StorageError as error:
            raise StorageError(f"a picture to judge is gone: {error.message}", error.hint) from error


def _models(answers: Mapping[str, Answer]) -> Counter[str]:
    return Counter(answer.model for answer in answers.values() if answer.model)
