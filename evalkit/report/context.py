"""What every section can ask for: the database, the pictures, and the boards, each computed once.

Knows what a report is about; how anything looks is for the sections and their templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalkit.errors import UnknownName
from evalkit.leaderboard import (
    Asked,
    AssistedBoard,
    BoardRow,
    Headline,
    LatencyRow,
    MoneyRow,
    Ranking,
    RaterReport,
    ReliabilityRow,
    SliceReport,
    assisted_board,
    headline,
    latency_board,
    metric_board,
    money_board,
    questions_of,
    rank,
    rank_slices,
    rater_reports,
    reliability_board,
    vote_board,
)
from evalkit.leaderboard.disagreements import Disagreement, queue
from evalkit.leaderboard.evidence import Evidence, read_evidence
from evalkit.leaderboard.query import statement
from evalkit.leaderboard.validity import ValidityBoard, judged
from evalkit.preference import PreferenceBoard, RatingOptions
from evalkit.stats.bootstrap import Resampling

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent / "sql"
_Row = TypeVar("_Row", ReliabilityRow, MoneyRow, LatencyRow)
COLOURS = 10
"""Systems beyond so many share colours; every mark also carries its name."""


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """A system as the run planned it. `colour` numbers a CSS variable, the same in the whole report.

    `rehearsed`: a server on one's own machine stood in for the provider.
    """

    name: str
    provider: str
    spec: str
    colour: int
    model: str = ""
    params: str = ""
    rehearsed: bool = False


@dataclass(frozen=True, slots=True)
class StudyInfo:
    """A human study. `simulated` is true if it says so or if any of its votes was.

    `selection` says by which rule its pairs were picked; empty where it is a fair sample of the run.
    """

    study: str
    title: str
    simulated: bool
    questions: Mapping[str, tuple[str, ...]]
    ballots: int
    raters: int
    selection: str = ""


@dataclass(frozen=True)
class Context:
    """Everything a section may use. `read_object` turns a sha256 into the bytes of a picture.

    `include_restricted`: show prompts and pictures although their licence keeps them from being passed on.
    """

    db: DuckDBPyConnection
    read_object: Callable[[str], bytes]
    run: str
    studies: tuple[StudyInfo, ...]
    now: datetime
    seed: int = 0
    include_restricted: bool = False

    def rows(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """All rows of one of the report's own `.sql` files, as dictionaries."""
        return self.query(statement(name, _SQL), **parameters)

    def query(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """All rows of a statement with named parameters, as dictionaries."""
        result = self.db.execute(sql, parameters)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]

    @cached_property
    def systems(self) -> tuple[SystemInfo, ...]:
        """The systems of the run, in the order it was given."""
        found = self.rows("systems", run=self.run)
        return tuple(
            SystemInfo(
                name=row["system"],
                provider=row["provider"],
                spec=row["spec"],
                colour=i % COLOURS,
                model=row["model"] or "",
                params=row["params"] or "{}",
                rehearsed=bool(row["rehearsed"]),
            )
            for i, row in enumerate(found)
        )

    @cached_property
    def colours(self) -> Mapping[str, int]:
        """System name -> number of its colour; a name the run does not know gets one after the others."""
        voted = {line.system for found in self._rankings.values() for line in found.board.ratings}
        known = {system.name: system.colour for system in self.systems}
        extra = sorted(voted - set(known))
        return known | {name: (len(known) + i) % COLOURS for i, name in enumerate(extra)}

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The categories of the run, in the order of its cases."""
        return tuple(str(row["category"]) for row in self.rows("categories", run=self.run))

    @cached_property
    def restricted(self) -> tuple[str, ...]:
        """The suites of the run whose licence keeps prompts and pictures from being passed on."""
        rows = self.rows("suites", run=self.run)
        return tuple(str(row["suite"]) for row in rows if not row["redistributable"])

    def withholds(self, suite: str) -> bool:
        """Whether the prompts and source pictures of `suite` must stay out of this report."""
        return suite in self.restricted and not self.include_restricted

    @cached_property
    def asked(self) -> tuple[dict[str, Any], ...]:
        """Per system: first and last request, and the versions that answered (`versions`), oldest first."""
        return tuple(self.rows("asked", run=self.run))

    @cached_property
    def degraded(self) -> tuple[dict[str, Any], ...]:
        """Per system, category and note: delivered pictures that were asked for in another way."""
        return tuple(self.rows("degraded", run=self.run))

    @cached_property
    def board(self) -> tuple[BoardRow, ...]:
        """Every metric of every system and category."""
        return metric_board(self.db, self.run, seed=self.seed)

    @cached_property
    def headlines(self) -> Mapping[str, Headline]:
        """Who leads each category that has scores."""
        found = {c: headline(self.db, self.board, self.run, c, self.seed) for c in self.categories}
        return {category: lead for category, lead in found.items() if lead is not None}

    @cached_property
    def reliability(self) -> tuple[ReliabilityRow, ...]:
        """Refusals, failures, cost and latency of every system and category."""
        return self._in_order(reliability_board(self.db, self.run))

    @cached_property
    def reliability_overall(self) -> tuple[ReliabilityRow, ...]:
        """The same over all categories, one row per system, in the order of the run."""
        return self._in_order(reliability_board(self.db, self.run, whole=True))

    @cached_property
    def money(self) -> tuple[MoneyRow, ...]:
        """What every system has cost in every category."""
        return self._in_order(money_board(self.db, self.run))

    @cached_property
    def money_overall(self) -> tuple[MoneyRow, ...]:
        """The same over all categories, one row per system."""
        return self._in_order(money_board(self.db, self.run, whole=True))

    @cached_property
    def latency(self) -> tuple[LatencyRow, ...]:
        """How long the pictures of every system and category took."""
        return self._in_order(latency_board(self.db, self.run))

    @cached_property
    def latency_overall(self) -> tuple[LatencyRow, ...]:
        """The same over all categories, one row per system."""
        return self._in_order(latency_board(self.db, self.run, whole=True))

    @cached_property
    def evidence(self) -> Evidence:
        """Votes and scores of the same pictures. Studies whose pairs were picked are not in it."""
        fair = [study.study for study in self.studies if not study.selection]
        return read_evidence(self.db, self.board, self.run, fair)

    @cached_property
    def validity(self) -> ValidityBoard:
        """Whether the metrics agree with people: every output, category and criterion."""
        return judged(self.board, self.evidence, Resampling(seed=self.seed))

    def disagreements(self, limit: int) -> tuple[Disagreement, ...]:
        """Pairs for a second look: metric and people disagree, or a score is flagged."""
        return queue(self.db, self.run, self.board, self.evidence, self.validity, limit)

    def votes(self, study: str, criterion: str, category: str | None = None) -> PreferenceBoard:
        """The rated votes of a study on one criterion."""
        if category is None:
            return self.ranking(study, criterion).board
        return vote_board(self.db, study, criterion, category, self._rating)

    def ranking(self, study: str, criterion: str) -> Ranking:
        """The board of a study on one criterion, and whether to trust it."""
        return self._rankings[study, criterion]

    def by_category(self, study: str, criterion: str) -> SliceReport:
        """The same question within each category, and whether categories rank differently."""
        return self._by_category[study, criterion]

    def raters(self, study: str, criterion: str) -> RaterReport | None:
        """How far the raters can be trusted; None where there are none, or no vote says whose it is."""
        return self._raters[study, criterion]

    def assisted(self, study: str, criterion: str) -> AssistedBoard:
        """Shares of votes sharpened by metrics, where these may help."""
        return self._assisted[study, criterion]

    def _in_order(self, rows: Sequence[_Row]) -> tuple[_Row, ...]:
        """Rows by the order of the run: its systems, and for each its categories."""
        systems = {system.name: i for i, system in enumerate(self.systems)}
        places = {category: i for i, category in enumerate(self.categories)}
        kept = [row for row in rows if row.system in systems]
        return tuple(sorted(kept, key=lambda row: (systems[row.system], places.get(row.category, -1))))

    @property
    def _rating(self) -> RatingOptions:
        return RatingOptions(seed=self.seed)

    @cached_property
    def _questions(self) -> Mapping[tuple[str, str], Asked]:
        return {
            (study.study, asked.criterion): asked
            for study in self.studies
            for asked in questions_of(self.db, (study.study,))
        }

    @cached_property
    def _rankings(self) -> Mapping[tuple[str, str], Ranking]:
        return {key: rank(self.db, asked, options=self._rating) for key, asked in self._questions.items()}

    @cached_property
    def _by_category(self) -> Mapping[tuple[str, str], SliceReport]:
        return {
            key: rank_slices(self.db, asked, "category", self._rating)
            for key, asked in self._questions.items()
        }

    @cached_property
    def _raters(self) -> Mapping[tuple[str, str], RaterReport | None]:
        return {
            key: rater_reports(self.db, asked, options=self._rating) for key, asked in self._questions.items()
        }

    @cached_property
    def _assisted(self) -> Mapping[tuple[str, str], AssistedBoard]:
        return {key: assisted_board(self.db, *key, seed=self.seed) for key in self._questions}


def find_studies(db: DuckDBPyConnection, run: str, names: Sequence[str] | None) -> tuple[StudyInfo, ...]:
    """The named studies, or all of the run; only such as have votes. Raises `UnknownName`."""
    wanted = list(names) if names is not None else None
    found = db.execute(statement("studies", _SQL), {"run": run, "names": wanted}).fetchall()
    studies = tuple(_study(row) for row in found)
    known = {study.study for study in studies}
    for name in wanted or ():
        if name not in known:
            voted = db.execute("SELECT DISTINCT study FROM ballots").fetchall()
            raise UnknownName("study with votes", name, [str(row[0]) for row in voted])
    return studies


def _study(row: Sequence[Any]) -> StudyInfo:
    study, title, simulated, asked, ballots, raters, selection = row
    questions: dict[str, tuple[str, ...]] = {}
    for criterion, question in asked:
        questions[criterion] = (*questions.get(criterion, ()), question)
    return StudyInfo(study, title or study, simulated, questions, ballots, raters, selection)
