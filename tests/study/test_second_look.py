"""A study of picked pairs: only those, written down as such, and as blind as any other."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict

import pytest
from make_run import MARKER, cases, make_run

from evalkit.errors import UsageError
from evalkit.store import Workspace
from evalkit.study.define import Selection, StudyDefinition, StudyOptions, create_study, load_study
from evalkit.study.service import StudyService
from evalkit.warehouse import connect

SYSTEMS = (f"{MARKER}-alpha", f"{MARKER}-beta", f"{MARKER}-gamma")


@pytest.fixture
def whole(workspace: Workspace) -> StudyDefinition:
    make_run(workspace, cases(4, edits=1), SYSTEMS)
    return create_study(workspace, "whole", "r1")


def picked(study: StudyDefinition, *places: int) -> Selection:
    """Pairs named the other way round: which trial comes first must not matter."""
    chosen = [study.comparisons[place] for place in places]
    return Selection("disagreements", tuple((c.trial_b, c.trial_a) for c in chosen), {"opposed": len(places)})


def test_only_the_picked_pairs_and_the_study_says_so(workspace: Workspace, whole: StudyDefinition) -> None:
    study = create_study(workspace, "again", "r1", StudyOptions(selection=picked(whole, 1, 5, 7)))
    assert study.comparisons == tuple(whole.comparisons[i] for i in (1, 5, 7))
    raw = json.loads((workspace.studies / "again" / "study.json").read_text())
    assert raw["selection"] == {"rule": "disagreements", "opposed": 3}
    assert load_study(workspace, "again") == study
    assert whole.selection is None


def test_a_study_from_before_there_were_selections_still_opens(
    workspace: Workspace, whole: StudyDefinition
) -> None:
    path = workspace.studies / "whole" / "study.json"
    raw = json.loads(path.read_text())
    del raw["selection"]
    path.write_text(json.dumps(raw))
    assert load_study(workspace, "whole") == whole
    with closing(connect(workspace)) as db:
        assert db.execute("SELECT selection FROM studies").fetchall() == [(None,)]


def test_the_database_knows(workspace: Workspace, whole: StudyDefinition) -> None:
    create_study(workspace, "again", "r1", StudyOptions(selection=picked(whole, 0)))
    with closing(connect(workspace)) as db:
        found = db.execute("SELECT study, selection FROM studies ORDER BY study").fetchall()
    assert found == [("again", "disagreements"), ("whole", None)]


def test_pairs_that_are_not_in_the_run_leave_nothing_to_compare(
    workspace: Workspace, whole: StudyDefinition
) -> None:
    del whole
    stray = Selection("disagreements", (("no", "such"),))
    with pytest.raises(UsageError):
        create_study(workspace, "again", "r1", StudyOptions(selection=stray))


def test_raters_learn_nothing_of_how_pairs_were_picked(workspace: Workspace, whole: StudyDefinition) -> None:
    options = StudyOptions(selection=picked(whole, 0, 1, 2), title="Fruit")
    create_study(workspace, "again", "r1", options)
    with StudyService(workspace, "again") as service:
        ballots = service.next("r", 3)
        assert len(ballots) == 3
        told = json.dumps([asdict(ballot) for ballot in ballots])
    assert "disagree" not in told
    assert "selection" not in told
    assert MARKER not in told


def test_which_side_the_metric_preferred_cannot_be_told_from_the_place(
    workspace: Workspace, whole: StudyDefinition
) -> None:
    """Sides are drawn as in any study: over many raters, each system is on the left half of the time."""
    create_study(workspace, "again", "r1", StudyOptions(selection=picked(whole, 0)))
    with StudyService(workspace, "again") as service:
        left = [service.reveal(service.next(f"r{n}")[0])[1] for n in range(200)]
    share = left.count(whole.comparisons[0].system_a) / len(left)
    assert 0.38 < share < 0.62
