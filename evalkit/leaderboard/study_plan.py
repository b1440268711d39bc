"""How many votes, raters and prompts a study needs: from assumptions, or from the votes of a pilot study.

`plan_study` joins what is asked (`Question`), what a pilot study says (`read_pilot`) and the arithmetic of
`evalkit.preference.planning` into one `StudyPlan`. Numbers only: how a plan is shown is for the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.errors import UnknownName, UsageError
from evalkit.leaderboard.ballot_box import check_studies
from evalkit.preference.clustering import Clusters
from evalkit.preference.limits import pilot_of
from evalkit.preference.measured import Measured, measure
from evalkit.preference.planning import (
    NOTHING,
    Components,
    Goal,
    Option,
    Part,
    Pilot,
    Prices,
    Size,
    assumed_components,
    cheapest,
    components_of,
    on_prompts,
    options,
    smallest_seen,
)
from evalkit.preference.votes import BOTH_BAD, TIE
from evalkit.stats.power import Scale, board_share, decisive_share, elo_of_share, share_of_elo, votes_needed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WORTH = 20.0
"""Votes that finding a rater, or making a prompt's pictures, is taken to be worth where no price is given."""
TIES = 0.25
"""Tie rate where none is given and no study says one."""
WITHOUT = "Let it go on for a while, or leave it out and plan from assumptions."
PROMPTS = (25, 50, 100, 200, 400)
"""Numbers of prompts that a plan from assumptions is also worked out for."""


@dataclass(frozen=True, slots=True)
class Charges:
    """US dollars for a vote, for finding a rater, for a picture; None where nobody said."""

    vote: float | None = None
    rater: float | None = None
    image: float | None = None

    def worth(self, systems: int) -> Prices:
        """What to weigh by: a rater or prompt of unknown price is worth `WORTH` votes, a vote one picture."""
        vote = self.vote if self.vote is not None else 1.0 if self.image is None else self.image
        rater = self.rater if self.rater is not None else WORTH * vote
        return Prices(vote, rater, WORTH * vote if self.image is None else systems * self.image)

    def known(self, systems: int) -> Prices | None:
        """What to charge: prices that were given, and nothing for the others; None without any."""
        if self.vote is None and self.rater is None and self.image is None:
            return None
        return Prices(self.vote or 0.0, self.rater or 0.0, systems * (self.image or 0.0))


@dataclass(frozen=True, slots=True)
class Question:
    """What a study is to find. One of `difference` (Elo points) and `win_share` says how large.

    On the scale "decisive" ties do not count; on "board" they are half wins, as on evalkit's leaderboard.
    `tie_rate`, `design_effect`, `rater_sd` and `prompt_sd` (logits) are assumptions where there is no pilot.
    """

    difference: float | None = None
    win_share: float | None = None
    scale: Scale = "decisive"
    power: float = 0.8
    alpha: float = 0.05
    tie_rate: float | None = None
    design_effect: float | None = None
    rater_sd: float | None = None
    prompt_sd: float | None = None
    systems: int = 2
    charges: Charges = Charges()

    def share(self, tie_rate: float) -> float:
        """The share among decisive votes. Raises `UsageError` where it is not said, twice, or impossible."""
        if (self.difference is None) == (self.win_share is None):
            raise UsageError(
                "how large a difference is to be found is not said, or said twice",
                "Give one of --difference ELO and --win-share P.",
            )
        asked = self.win_share if self.difference is None else share_of_elo(self.difference)
        if asked is None or not 0.5 < asked < 1.0:
            raise UsageError(
                "a difference of zero or less cannot be planned for",
                "Give a positive number of Elo points, or a share above 0.5 and below 1.",
            )
        return asked if self.scale == "decisive" else decisive_share(asked, tie_rate)


@dataclass(frozen=True, slots=True)
class PilotStudy:
    """What the votes of a study say.

    Variances are of a difference between two of its systems, in Elo points squared on the board's scale,
    averaged over all pairs. `pilot.size` has effective numbers, `clusters` has both. `picked` says that its
    pairs are no fair sample.
    """

    study: str
    criterion: str
    simulated: bool
    picked: bool
    systems: tuple[str, ...]
    tie_rate: float
    clusters: Clusters
    pilot: Pilot


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the goal: the whole study then, what it takes more than there is, and what that costs.

    All are None where it does not lead there; `at_best` is the difference it could find without end.
    """

    name: str
    size: Size | None
    more: Size | None
    cost: float | None
    at_best: float | None = None


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """An answer. `difference` is in Elo points among decisive votes, `on_board` the same with ties as half.

    `goal`, `components`, `finds` and `floor` are on the scale of `components`: the board's with a pilot,
    decisive without. `now`, `shares`, `limit`, `finds` (what the pilot's size finds) and `floor` (what
    endless votes on its prompts by its raters would find) are None without a pilot. `best` is the cheapest
    way; `charged` says which prices are in the costs.
    """

    win_share: float
    difference: float
    on_board: float
    tie_rate: float
    systems: int
    goal: Goal
    components: Components
    best: Way
    ways: tuple[Way, ...]
    cautions: tuple[str, ...]
    charged: tuple[str, ...]
    pilot: PilotStudy | None = None
    now: Size | None = None
    shares: dict[Part, float] | None = None
    limit: Part | None = None
    finds: float | None = None
    floor: float | None = None


def plan_study(question: Question, pilot: PilotStudy | None = None) -> StudyPlan:
    """Answer a question. Raises `UsageError` where it cannot be answered."""
    if question.systems < 2:
        raise UsageError(f"{question.systems} system cannot be compared", "Give --systems 2 or more.")
    return _from_assumptions(question) if pilot is None else _from_pilot(question, pilot)


def read_pilot(
    db: DuckDBPyConnection, study: str, criterion: str | None = None, category: str | None = None
) -> PilotStudy:
    """A study's votes on one criterion, the one with most votes by default, as a pilot.

    Raises `UnknownName`, and `UsageError` where its votes say nothing about the next ones: none, not on one
    scale, or all on one prompt.
    """
    from evalkit.leaderboard.votes import votes_of

    chosen = _criterion(db, study, criterion)
    votes = votes_of(db, study, chosen, category).compact()
    if not votes.n:
        raise UsageError(f"study {study} has no votes on {chosen} there yet", WITHOUT)
    m = measure(votes)
    ties = (m.tensor.share(TIE) or 0.0) + (m.tensor.share(BOTH_BAD) or 0.0)
    simulated, picked = _marks(db, study)
    return PilotStudy(study, chosen, simulated, picked, votes.systems, ties, m.clusters, _pilot(m, study))


def _criterion(db: DuckDBPyConnection, study: str, criterion: str | None) -> str:
    check_studies(db, [study])
    query = """
        SELECT criterion FROM votes WHERE study = ? AND NOT withdrawn
        GROUP BY criterion ORDER BY count(*) DESC, criterion"""
    voted = [str(name) for (name,) in db.execute(query, [study]).fetchall()]
    if criterion is None and not voted:
        raise UsageError(f"study {study} has no votes yet", WITHOUT)
    if criterion is not None and criterion not in voted:
        raise UnknownName("criterion with votes", criterion, voted)
    return criterion or voted[0]


def _marks(db: DuckDBPyConnection, study: str) -> tuple[bool, bool]:
    """Whether some of its votes are simulated, and whether its pairs were picked for a second look."""
    query = """
        SELECT coalesce(bool_or(v.simulated), false), any_value(s.selection) IS NOT NULL
        FROM studies s LEFT JOIN votes v ON v.study = s.study AND NOT v.withdrawn WHERE s.study = ?"""
    ((simulated, picked),) = db.execute(query, [study]).fetchall()
    return bool(simulated), bool(picked)


def _pilot(m: Measured, study: str) -> Pilot:
    pieces = m.known.pieces
    if pieces is None:
        raise UsageError(
            f"the systems of study {study} are not on one scale: some never beat, or never met, the others",
            WITHOUT,
        )
    if pieces.case is None:
        raise UsageError(f"all votes of study {study} are on one prompt", WITHOUT)
    return pilot_of(pieces, m.n, m.tensor.size)


# ------------------------------------------------------------- from a pilot, and from assumptions


def _from_pilot(question: Question, study: PilotStudy) -> StudyPlan:
    if question.design_effect or question.rater_sd is not None or question.prompt_sd is not None:
        raise UsageError(
            "a pilot study says itself how raters and prompts differ",
            "Leave out --design-effect, --rater-sd and --prompt-sd, or leave out the study.",
        )
    ties = study.tie_rate if question.tie_rate is None else question.tie_rate
    share, systems = question.share(ties), len(study.systems)
    on_board = elo_of_share(board_share(share, ties))
    goal = Goal(on_board, question.power, question.alpha)
    parts, now = components_of(study.pilot), study.pilot.size
    worth, charged = question.charges.worth(systems), question.charges.known(systems)
    pairs = systems * (systems - 1) // 2
    best = (
        Option("cheapest", now)
        if parts.variance(now) <= goal.variance
        else Option("cheapest", cheapest(parts, goal, worth, now, pairs))
    )
    return StudyPlan(
        win_share=share,
        difference=elo_of_share(share),
        on_board=on_board,
        tie_rate=ties,
        systems=systems,
        goal=goal,
        components=parts,
        best=_way(best, now, charged),
        ways=tuple(_way(option, now, charged) for option in options(parts, now, goal)),
        cautions=(*parts.notes, *_unpriced(question.charges)),
        charged=_charged(question.charges),
        pilot=study,
        now=now,
        shares=parts.shares(now),
        limit=parts.limit(now),
        finds=smallest_seen(parts, now, goal.power, goal.alpha),
        floor=goal.at(parts.floor(now)),
    )


def _from_assumptions(question: Question) -> StudyPlan:
    ties = TIES if question.tie_rate is None else question.tie_rate
    share = question.share(ties)
    goal = Goal(elo_of_share(share), question.power, question.alpha)
    parts = _assumed(question, share, ties, goal)
    worth, charged = question.charges.worth(question.systems), question.charges.known(question.systems)
    pairs = question.systems * (question.systems - 1) // 2
    best = Option("cheapest", cheapest(parts, goal, worth, pairs=pairs))
    on = tuple(on_prompts(parts, goal, worth, prompts, pairs) for prompts in PROMPTS) if parts.prompts else ()
    return StudyPlan(
        win_share=share,
        difference=goal.difference,
        on_board=elo_of_share(board_share(share, ties)),
        tie_rate=ties,
        systems=question.systems,
        goal=goal,
        components=parts,
        best=_way(best, NOTHING, charged),
        ways=tuple(_way(option, NOTHING, charged) for option in on),
        cautions=(
            *_unsaid(question),
            *(_unpriced(question.charges) if parts.raters or parts.prompts else ()),
        ),
        charged=_charged(question.charges),
    )


def _assumed(question: Question, share: float, ties: float, goal: Goal) -> Components:
    """K systems, all pairs alike, need K - 1 times the votes that one pair needs by itself.

    With n votes on each pair a difference has 2 / K of the variance that n votes on its pair alone would give
    it (the inverse Laplacian of a complete graph), and there are K (K - 1) / 2 pairs.
    """
    sds = question.rater_sd, question.prompt_sd
    if question.design_effect is not None and sds != (None, None):
        raise UsageError(
            "a design effect says already how raters and prompts differ",
            "Give either --design-effect, or --rater-sd and --prompt-sd.",
        )
    effect = 1.0 if question.design_effect is None else question.design_effect
    one_pair = votes_needed(share, goal.power, goal.alpha, tie_rate=ties, design_effect=effect)
    return assumed_components(one_pair * (question.systems - 1), goal, sds[0] or 0.0, sds[1] or 0.0)


def _unsaid(question: Question) -> tuple[str, ...]:
    said = []
    if question.tie_rate is None:
        said.append(f"No --tie-rate was given: {100 * TIES:.0f} % is assumed.")
    if (question.design_effect, question.rater_sd, question.prompt_sd) == (None, None, None):
        said.append(
            "Votes are taken to be independent, which votes that share raters or prompts are not: give "
            "--rater-sd and --prompt-sd (such as 0.6 and 0.8), or a study."
        )
    elif question.design_effect is None and (question.rater_sd is None or question.prompt_sd is None):
        which = "raters" if question.rater_sd is None else "prompts"
        said.append(f"The {which} are taken not to differ.")
    return tuple(said)


def _unpriced(charges: Charges) -> tuple[str, ...]:
    """What the cheapest plan weighs raters and prompts by, where nobody said."""
    missing = [
        (charges.rater, "--price-per-rater", "rater"),
        (charges.image, "--price-per-image", "prompt"),
    ]
    return tuple(
        f"No {option} was given: a {what} is taken to be worth {WORTH:.0f} votes."
        for price, option, what in missing
        if price is None
    )


def _charged(charges: Charges) -> tuple[str, ...]:
    given = zip(("votes", "raters", "pictures"), (charges.vote, charges.rater, charges.image), strict=True)
    return tuple(name for name, price in given if price is not None)


def _way(option: Option, now: Size, charged: Prices | None) -> Way:
    if option.size is None:
        return Way(option.name, None, None, None, option.at_best)
    size = option.size
    # Effective numbers are no whole ones, but what is bought is.
    more = Size(
        *(float(round(there - here)) for there, here in zip(_counts(size), _counts(now), strict=True))
    )
    return Way(option.name, size, more, None if charged is None else charged.cost(more))


def _counts(size: Size) -> tuple[float, float, float]:
    return size.votes, size.raters, size.prompts
