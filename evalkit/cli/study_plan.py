"""`evalkit study plan`: how many votes, raters and prompts it takes, and what limits a study."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from evalkit.cli.console import dollars, note, out, show_json
from evalkit.cli.options import JsonOption, WorkspaceOption, usd
from evalkit.errors import UnknownName
from evalkit.store import Workspace

if TYPE_CHECKING:
    from evalkit.leaderboard.study_plan import Charges, PilotStudy, StudyPlan, Way
    from evalkit.preference.planning import Size


NameArgument = Annotated[
    str | None, typer.Argument(metavar="[STUDY]", help="Plan from its votes. [default: from assumptions]")
]
DifferenceOption = Annotated[
    float | None, typer.Option("--difference", metavar="ELO", help="What is to be found, in Elo points.")
]
WinShareOption = Annotated[
    float | None,
    typer.Option("--win-share", metavar="P", help="The same as a share of votes won, such as 0.55."),
]
ScaleOption = Annotated[
    str, typer.Option("--scale", help="decisive: ties do not count; board: ties are half wins.")
]
PowerOption = Annotated[float, typer.Option("--power", help="Chance of finding it.")]
AlphaOption = Annotated[float, typer.Option("--alpha", help="Chance of finding what is not there.")]
TieRateOption = Annotated[
    float | None,
    typer.Option("--tie-rate", help="Share of votes that decide nothing. [default: the study's, or 0.25]"),
]
DesignEffectOption = Annotated[
    float | None,
    typer.Option("--design-effect", help="Variance, as a multiple of that of independent votes."),
]
RaterSdOption = Annotated[
    float | None,
    typer.Option("--rater-sd", help="How much raters differ about a system, in logits, such as 0.6."),
]
PromptSdOption = Annotated[
    float | None,
    typer.Option("--prompt-sd", help="How much luck a system has with a prompt, in logits, such as 0.8."),
]
SystemsOption = Annotated[int, typer.Option("--systems", help="Systems to be compared, without a study.")]
VotePriceOption = Annotated[
    str | None, typer.Option("--price-per-vote", metavar="USD", help="What a vote costs.")
]
RaterPriceOption = Annotated[
    str | None,
    typer.Option("--price-per-rater", metavar="USD", help="What finding and briefing a rater costs."),
]
ImagePriceOption = Annotated[
    str | None, typer.Option("--price-per-image", metavar="USD", help="What a picture of one system costs.")
]
CriterionOption = Annotated[
    str | None,
    typer.Option("--criterion", help="Whose votes of the study. [default: the one with most votes]"),
]
NEVER = "never: even without end it finds no less than"


def plan(
    name: NameArgument = None,
    difference: DifferenceOption = None,
    win_share: WinShareOption = None,
    scale: ScaleOption = "decisive",
    power: PowerOption = 0.8,
    alpha: AlphaOption = 0.05,
    tie_rate: TieRateOption = None,
    design_effect: DesignEffectOption = None,
    rater_sd: RaterSdOption = None,
    prompt_sd: PromptSdOption = None,
    systems: SystemsOption = 2,
    price_per_vote: VotePriceOption = None,
    price_per_rater: RaterPriceOption = None,
    price_per_image: ImagePriceOption = None,
    criterion: CriterionOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many votes, raters and prompts are needed, what limits a study, and what to buy next."""
    from evalkit.leaderboard.study_plan import Question, plan_study
    from evalkit.stats.power import SCALES

    if scale not in SCALES:
        raise UnknownName("scale", scale, SCALES)
    question = Question(
        difference=difference,
        win_share=win_share,
        scale=scale,
        power=power,
        alpha=alpha,
        tie_rate=tie_rate,
        design_effect=design_effect,
        rater_sd=rater_sd,
        prompt_sd=prompt_sd,
        systems=systems,
        charges=_charges(price_per_vote, price_per_rater, price_per_image),
    )
    pilot = None if name is None else _pilot(Workspace.open(workspace, create=False), name, criterion)
    found = plan_study(question, pilot)
    if as_json:
        show_json({"answer": answer(found), **asdict(found)})
    else:
        _show(found)


def _charges(vote: str | None, rater: str | None, image: str | None) -> Charges:
    from evalkit.leaderboard.study_plan import Charges

    amounts = (
        usd(vote, "--price-per-vote"),
        usd(rater, "--price-per-rater"),
        usd(image, "--price-per-image"),
    )
    return Charges(*(None if amount is None else float(amount) for amount in amounts))


def _pilot(workspace: Workspace, name: str, criterion: str | None) -> PilotStudy:
    from evalkit.leaderboard.study_plan import read_pilot
    from evalkit.warehouse import connect

    if name not in workspace.study_ids():
        raise UnknownName("study", name, workspace.study_ids())
    with closing(connect(workspace)) as db:
        return read_pilot(db, name, criterion)


def answer(plan: StudyPlan) -> str:
    """The plan in one sentence, or two where more votes would not help."""
    pair = "two systems" if plan.systems == 2 else f"any two of {plan.systems} systems"
    aim = (
        f"To tell {pair} apart by {plan.difference:.0f} Elo ({100 * plan.win_share:.1f} % of the votes that "
        f"decide) with {100 * plan.tie_rate:.0f} % ties"
    )
    if plan.pilot is None or plan.now is None:
        return f"{aim}, you need {_needed(plan)}{_cost(plan)}."
    study, more = plan.pilot.study, plan.best.more
    if more is None:
        return f"{aim}, {study} would need more than can be had.{_no_help(plan)}"
    if plan.best.size == plan.now:
        return f"{aim}, {study} has enough votes: it finds {plan.finds:.0f} Elo on the board."
    return f"{aim}, {study} needs {_list(more)}{_cost(plan)}.{_no_help(plan)}"


def _needed(plan: StudyPlan) -> str:
    size = plan.best.size
    if size is None:
        return "more than can be had"
    votes = f"{size.votes:,.0f} votes"
    if not plan.components.raters and not plan.components.prompts:
        return votes
    return f"{votes} from at least {size.raters:,.0f} raters on at least {size.prompts:,.0f} prompts"


def _no_help(plan: StudyPlan) -> str:
    """Whether votes alone could do it."""
    votes = next((way for way in plan.ways if way.name == "votes"), None)
    if votes is None or votes.size is not None or plan.floor is None:
        return ""
    return (
        " More votes by the same raters on the same prompts would not help: even endless ones would find no "
        f"less than {plan.floor:.0f} Elo on the board."
    )


def _cost(plan: StudyPlan) -> str:
    if plan.best.cost is None:
        return ""
    return f"; cost {_dollars(plan.best.cost)} for {_joined(plan.charged)}"


def _dollars(amount: float) -> str:
    return dollars(Decimal(str(round(amount, 6))))


def _list(more: Size) -> str:
    parts = [(more.votes, "vote"), (more.raters, "rater"), (more.prompts, "prompt")]
    named = [f"{count:,.0f} more {what}{'' if count == 1 else 's'}" for count, what in parts if count]
    return _joined(named)


def _joined(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _show(plan: StudyPlan) -> None:
    out.print(answer(plan), markup=False, soft_wrap=True)
    out.print()
    _show_facts(plan)
    if plan.ways:
        out.print("\n[bold]Ways to get there[/bold]", soft_wrap=True)
        out.print(_ways(plan))
    for caution in plan.cautions:
        note(caution)
    if plan.pilot is not None and plan.pilot.picked:
        note("Its pairs were picked for being disputed: other pairs may need fewer votes, or more.")
    if plan.pilot is not None and plan.pilot.simulated:
        note("The votes are simulated: people may differ more, or less.")


def _show_facts(plan: StudyPlan) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    for fact, value in _facts(plan):
        table.add_row(fact, escape(value))
    out.print(table)


def _facts(plan: StudyPlan) -> list[tuple[str, str]]:
    facts = [
        (
            "to be found",
            f"{plan.difference:.1f} Elo where ties do not count, {plan.on_board:.1f} on the board",
        ),
        ("one look at the end", f"power {plan.goal.power:g}, alpha {plan.goal.alpha:g}"),
    ]
    study = plan.pilot
    if study is None or plan.now is None or plan.shares is None:
        return facts
    clusters = study.clusters
    return [
        *facts,
        (
            f"{study.study}, {study.criterion}",
            f"{study.pilot.size.votes:,.0f} votes by {clusters.raters} raters on {clusters.cases} prompts "
            f"(in effect {clusters.effective_raters:.0f} and {clusters.effective_cases:.0f})",
        ),
        ("finds now", f"{plan.finds:.0f} Elo on the board; endless votes alone would find {plan.floor:.0f}"),
        ("design effect", f"{study.pilot.design_effect:.1f}"),
        (
            "what limits it",
            f"{plan.limit}: " + ", ".join(f"{k} {100 * v:.0f} %" for k, v in plan.shares.items()),
        ),
    ]


def _ways(plan: StudyPlan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("way" if plan.pilot is None else "more")
    for column in ("votes", "raters", "prompts", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for way in (*plan.ways, plan.best):
        table.add_row(*_cells(way, plan))
    return table


def _cells(way: Way, plan: StudyPlan) -> list[str]:
    size = way.size if plan.pilot is None else way.more
    if size is None:
        return [way.name, "-", "-", "-", "-", NEVER + f" {way.at_best:.0f} Elo"]
    sign = "" if plan.pilot is None else "+"
    counts = [f"{sign}{count:,.0f}" for count in (size.votes, size.raters, size.prompts)]
    return [way.name, *counts, "-" if way.cost is None else _dollars(way.cost), ""]
