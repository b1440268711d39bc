"""`evalkit study plan`: from assumptions, and from the votes of a study on a small workspace."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evalkit.cli.app import make_app
from evalkit.cli.study_plan import plan
from evalkit.errors import EvalkitError, UnknownName, UsageError
from evalkit.leaderboard.study_plan import Question, plan_study, read_pilot
from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study
from evalkit.study.simulate import Panel, simulate_votes

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("study", "leaderboard"))

from make_run import cases, make_run
from sampledb import SampleDb

PAGE = Path(__file__).parents[2] / "docs" / "planning.md"
WORTH = {"good": 0.6, "middling": 0.0, "poor": -0.6}
CLUSTERED = ("--rater-sd", "0.6", "--prompt-sd", "0.8")
app = make_app()
app.command()(plan)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A study of three systems on 24 cases by 8 raters, one that nobody voted in."""
    opened = Workspace.open(tmp_path_factory.mktemp("plan") / "ws")
    make_run(opened, cases(24), tuple(WORTH))
    for name in ("taste", "silent"):
        create_study(opened, name, "r1", StudyOptions(simulated=True))
    simulate_votes(opened, "taste", WORTH, Panel(raters=8, votes=500, case_sd=0.8))
    return opened


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, EvalkitError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def plan_of(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(*arguments, "--json").stdout)
    return found


def piloted(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    return plan_of("taste", "--workspace", str(workspace.root), *arguments)


def test_votes_for_a_share() -> None:
    said = call("--win-share", "0.55", "--tie-rate", "0.25").stdout
    assert said.startswith(
        "To tell two systems apart by 35 Elo (55.0 % of the votes that decide) with 25 % ties, "
        "you need 1,044 votes.\n"
    )
    assert "26.1 on the board" in said


def test_what_is_not_said_is_assumed_aloud() -> None:
    result = call("--difference", "35")
    assert "No --tie-rate was given: 25 % is assumed." in result.stderr
    assert "Votes are taken to be independent" in result.stderr
    half = call("--difference", "35", "--tie-rate", "0.2", "--rater-sd", "0.5").stderr
    assert "The prompts are taken not to differ." in half
    assert call("--difference", "35", "--tie-rate", "0.2", "--design-effect", "3").stderr == ""


def test_raters_and_prompts_that_differ_cost_more() -> None:
    alone = plan_of("--difference", "35", "--tie-rate", "0.25")
    differing = plan_of("--difference", "35", "--tie-rate", "0.25", *CLUSTERED)
    assert differing["best"]["size"]["votes"] > 2 * alone["best"]["size"]["votes"]
    assert "raters on at least" in differing["answer"]
    assert [way["name"] for way in differing["ways"]] == [f"{n} prompts" for n in (25, 50, 100, 200, 400)]
    assert differing["ways"][0]["size"] is None
    assert "never: even without end it finds no less than" in call("--difference", "35", *CLUSTERED).stdout


def test_the_cost_is_of_what_has_a_price() -> None:
    prices = ("--price-per-vote", "0.05", "--price-per-image", "$0.04")
    found = plan_of("--difference", "70", *CLUSTERED, "--systems", "3", *prices)
    size = found["best"]["size"]
    assert found["best"]["cost"] == pytest.approx(0.05 * size["votes"] + 3 * 0.04 * size["prompts"])
    assert found["charged"] == ["votes", "pictures"]
    assert "for votes and pictures." in found["answer"]
    assert [c for c in found["cautions"] if "--price-per-rater" in c]
    unpriced = plan_of("--difference", "70", *CLUSTERED)
    assert unpriced["best"]["cost"] is None
    assert "cost" not in unpriced["answer"]


def test_dear_pictures_shift_the_plan_to_votes() -> None:
    priced = ("--difference", "70", *CLUSTERED, "--price-per-vote", "0.05", "--price-per-rater", "1")
    cheap = plan_of(*priced, "--price-per-image", "0.01")["best"]["size"]
    dear = plan_of(*priced, "--price-per-image", "1")["best"]["size"]
    assert dear["prompts"] < cheap["prompts"]
    assert dear["votes"] > cheap["votes"]


def test_a_board_takes_votes_for_every_pair() -> None:
    two, five = (
        plan_of("--win-share", "0.55", "--tie-rate", "0.25", "--systems", n)["best"]["size"] for n in "25"
    )
    assert five["votes"] == 4 * two["votes"]


def test_points_of_the_board_count_ties_as_half() -> None:
    found = plan_of("--difference", "35", "--scale", "board", "--tie-rate", "0.25")
    assert found["on_board"] == pytest.approx(35.0)
    assert found["difference"] == pytest.approx(46.8, abs=0.1)
    assert found["best"]["size"]["votes"] < 1044


def test_a_study_says_what_limits_it(workspace: Workspace) -> None:
    found = piloted(workspace, "--difference", "20", "--price-per-vote", "0.05", "--price-per-image", "0.04")
    assert found["pilot"]["study"] == "taste"
    assert found["pilot"]["pilot"]["size"]["votes"] == 500
    assert found["systems"] == 3
    assert sum(found["shares"].values()) == pytest.approx(1.0)
    assert found["limit"] == max(found["shares"], key=found["shares"].get)
    assert found["floor"] < found["finds"]
    assert found["best"]["more"]["prompts"] > 0
    assert found["goal"]["difference"] == pytest.approx(found["on_board"])
    names = [way["name"] for way in found["ways"]]
    assert names == ["votes", "raters", "prompts", "all alike"]


def test_a_floor_is_said_in_words(workspace: Workspace) -> None:
    found = piloted(workspace, "--difference", "20")
    assert found["ways"][0]["size"] is None
    assert "More votes by the same raters on the same prompts would not help" in found["answer"]
    easy = piloted(workspace, "--difference", "500")
    assert "has enough votes" in easy["answer"]
    assert not any(easy["best"]["more"].values())


def test_the_table_of_a_study(workspace: Workspace) -> None:
    result = call("taste", "--difference", "40", "--workspace", str(workspace.root))
    for words in ("what limits it", "design effect", "finds now", "endless votes", "all alike", "cheapest"):
        assert words in result.stdout
    assert "The votes are simulated" in result.stderr
    assert "raters in effect: how much they differ is known roughly" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "not said, or said twice"),
        (("--difference", "35", "--win-share", "0.55"), "not said, or said twice"),
        (("--difference", "-35"), "zero or less"),
        (("--win-share", "1.5"), "zero or less"),
        (("--difference", "35", "--power", "0.2"), "power 0.2"),
        (("--difference", "35", "--alpha", "0"), "alpha 0"),
        (("--difference", "35", "--tie-rate", "1"), "tie rate of 1.0"),
        (("--difference", "35", "--design-effect", "0"), "design effect of 0.0"),
        (("--difference", "35", "--design-effect", "2", "--rater-sd", "1"), "says already"),
        (("--difference", "35", "--rater-sd", "-1"), "standard deviation of raters"),
        (("--difference", "35", "--systems", "1"), "1 system cannot be compared"),
        (("--difference", "35", "--price-per-vote", "cheap"), "--price-per-vote 'cheap'"),
        (("--difference", "300", "--scale", "board", "--tie-rate", "0.6"), "no system can have"),
    ],
)
def test_wrong_questions(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        call(*arguments)
    assert raised.value.hint


def test_wrong_names(workspace: Workspace) -> None:
    where = ("--difference", "35", "--workspace", str(workspace.root))
    with pytest.raises(UnknownName, match="scale 'elo'"):
        call("--difference", "35", "--scale", "elo")
    with pytest.raises(UnknownName, match="study 'tast'"):
        call("tast", *where)
    with pytest.raises(UnknownName, match="criterion with votes 'beauty'"):
        call("taste", *where, "--criterion", "beauty")
    with pytest.raises(UsageError, match="has no votes yet"):
        call("silent", *where)
    with pytest.raises(UsageError, match="says itself how raters and prompts differ"):
        call("taste", *where, *CLUSTERED)


def small_study(answers: dict[str, str], rater: str = "r{}") -> SampleDb:
    """Systems a and b on some cases, two votes each: `answers` by case."""
    sample = SampleDb()
    sample.suite("product")
    sample.study("s", ["a", "b"], ["alignment"], selection="disagreements")
    for i, (case, answer) in enumerate(answers.items()):
        sample.case("product", case, cluster=case)
        for j in range(2):
            where, by = ("product", case), rater.format(j)
            sample.vote("s", f"b{i}{j}", ("a", "b"), where, rater=by, alignment=answer)
    return sample


def test_votes_that_say_nothing_of_the_next_ones() -> None:
    with pytest.raises(UsageError, match="not on one scale"):
        read_pilot(small_study({"c0": "left", "c1": "left"}).db, "s")
    with pytest.raises(UsageError, match="on one prompt"):
        read_pilot(small_study({"c0": "tie"}).db, "s")
    with pytest.raises(UnknownName, match="study 't'"):
        read_pilot(small_study({"c0": "tie"}).db, "t")


def test_one_rater_and_a_second_look_are_marked() -> None:
    answers = {f"c{i}": ("left", "right", "tie")[i % 3] for i in range(9)}
    pilot = read_pilot(small_study(answers, rater="only").db, "s")
    assert pilot.picked
    assert not pilot.simulated
    assert pilot.tie_rate == pytest.approx(1 / 3)
    plan = plan_study(Question(difference=50.0), pilot)
    assert "Fewer than two raters" in plan.cautions[0]


def examples(kind: str) -> list[tuple[str, str]]:
    """Blocks of the page of one kind, each with the text block that follows it."""
    pattern = rf"^```{kind}\n(.*?)^```\n\n```text\n(.*?)^```$"
    return re.findall(pattern, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), examples("console"))
def test_the_commands_of_the_page_print_what_it_shows(command: str, shown: str) -> None:
    printed = [line.strip() for line in call(*shlex.split(command)[4:]).stdout.splitlines()]
    assert shlex.split(command)[:4] == ["$", "evalkit", "study", "plan"]
    assert [line for line in shown.splitlines() if line.strip() not in printed] == []


def test_the_code_of_the_page_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    found = examples("python")
    assert len(found) >= 2
    for code, shown in found:
        exec(compile(code, PAGE.name, "exec"), {})  # noqa: S102 - the page is ours
        assert capsys.readouterr().out == shown
