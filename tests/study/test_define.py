from __future__ import annotations

import json
from pathlib import Path

import pytest
from make_run import FakeCase, cases, make_run

from evalkit.errors import InvalidInput, UnknownName, UsageError, WorkspaceError
from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study, load_study
from evalkit.study.sources import finished_trials


def test_every_pair_of_systems_is_compared_on_every_case(workspace: Workspace) -> None:
    make_run(workspace, cases(3, edits=2), ("c", "a", "b"))
    study = create_study(workspace, "s", "r1")
    assert study.systems == ("a", "b", "c")
    assert len(study.comparisons) == 3 * 5
    assert all(c.system_a < c.system_b for c in study.comparisons)
    assert len({c.id for c in study.comparisons}) == 15


def test_a_study_reads_back_as_it_was_written(workspace: Workspace, study: str) -> None:
    written = load_study(workspace, study)
    assert written.title == "Fruit"
    raw = json.loads((workspace.studies / study / "study.json").read_text())
    assert raw["format"] == 1
    assert [c["id"] for c in raw["comparisons"]] == [c.id for c in written.comparisons]
    again = create_study(workspace, "s2", "r1", StudyOptions(title="Fruit"))
    assert again.comparisons == written.comparisons


def test_questions_fit_the_tasks(workspace: Workspace) -> None:
    make_run(workspace, cases(2), run="r1")
    make_run(workspace, cases(0, edits=2), run="r2")
    assert [c.id for c in create_study(workspace, "t", "r1").criteria] == ["alignment", "appeal"]
    edits = create_study(workspace, "e", "r2").criteria
    assert [c.id for c in edits] == ["alignment", "preservation", "appeal"]
    chosen = create_study(workspace, "one", "r2", StudyOptions(criteria=["appeal"])).criteria
    assert [c.id for c in chosen] == ["appeal"]


def test_choices_narrow_a_study(workspace: Workspace) -> None:
    fakes = [*cases(2), FakeCase("p1", "a face", suite="portrait")]
    make_run(workspace, fakes, ("a", "b", "c"))
    study = create_study(workspace, "s", "r1", StudyOptions(systems=["c", "a"], suites=["portrait"]))
    assert [(c.case, c.system_a, c.system_b) for c in study.comparisons] == [("p1", "a", "c")]


@pytest.mark.parametrize(
    ("options", "guess"),
    [
        (StudyOptions(systems=["alfa", "beta"]), "alpha"),
        (StudyOptions(criteria=["apeal"]), "appeal"),
        (StudyOptions(criteria=["preservation"]), "alignment"),
        (StudyOptions(suites=["produkt"]), "product"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(
    workspace: Workspace, options: StudyOptions, guess: str
) -> None:
    make_run(workspace, cases(1), ("alpha", "beta"))
    with pytest.raises(UnknownName) as error:
        create_study(workspace, "s", "r1", options)
    assert guess in error.value.hint


def test_a_study_is_written_once(workspace: Workspace, study: str) -> None:
    with pytest.raises(WorkspaceError, match="already") as error:
        create_study(workspace, study, "r1")
    assert "evalkit rate s1" in error.value.hint


@pytest.mark.parametrize("name", ["", "A b", "../x", ".hidden", "x" * 65])
def test_a_study_name_is_a_safe_folder_name(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        create_study(workspace, name, "r1")


def test_one_system_is_not_enough(workspace: Workspace) -> None:
    make_run(workspace, cases(1), ("alone",))
    with pytest.raises(UsageError, match="at least two") as error:
        create_study(workspace, "s", "r1")
    assert error.value.hint


def test_cases_without_two_pictures_are_left_out(workspace: Workspace) -> None:
    make_run(workspace, cases(3), ("a", "b"))
    done = finished_trials(workspace)
    journal = workspace.runs / "r1" / "journal.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    later = {"attempt": 2, "t": "2026-02-01T00:00:00+00:00"}
    refused = {**records[0], "status": "refused", "images": [], **later}
    journal.write_text("".join(json.dumps(r) + "\n" for r in [*records, refused]))
    lost = next(iter(done[records[2]["trial"]].images)).sha256
    workspace.objects.path(lost).unlink()
    assert [c.case for c in create_study(workspace, "s", "r1").comparisons] == ["c02"]


def test_no_common_picture_is_an_error_with_a_hint(workspace: Workspace) -> None:
    make_run(workspace, cases(2))
    (workspace.runs / "r1" / "journal.jsonl").write_text("")
    with pytest.raises(UsageError, match="no case has pictures") as error:
        create_study(workspace, "s", "r1")
    assert "evalkit run" in error.value.hint


def test_the_newest_record_of_a_trial_counts_whichever_run_wrote_it(workspace: Workspace) -> None:
    make_run(workspace, cases(1), ("a", "b"))
    trial = next(iter(finished_trials(workspace)))
    other = workspace.runs / "r0"
    other.mkdir()
    newer = {"type": "done", "trial": trial, "attempt": 2, "t": "2026-03-01T00:00:00+00:00"}
    older = {**newer, "t": "2025-01-01T00:00:00+00:00", "status": "failed"}
    lines = [{"type": "intent", "trial": trial}, {**newer, "status": "refused"}, older]
    (other / "journal.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    assert finished_trials(workspace)[trial].status == "refused"


def test_a_plan_or_study_that_is_something_else_is_refused(workspace: Workspace, study: str) -> None:
    (workspace.runs / "r1" / "plan.json").write_text('{"format": 1}')
    with pytest.raises(InvalidInput, match="not a plan"):
        create_study(workspace, "s2", "r1")
    path: Path = workspace.studies / study / "study.json"
    path.write_text('{"format": 99}')
    with pytest.raises(InvalidInput, match="not a study"):
        load_study(workspace, study)
    with pytest.raises(UnknownName, match="unknown study"):
        load_study(workspace, "nosuch")
