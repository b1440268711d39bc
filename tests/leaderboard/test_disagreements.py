"""The queue for a second look: what gets in, in which order."""

from __future__ import annotations

import pytest
from sampledb import SampleDb
from votedsample import SKILL, cast, scored_run

from evalkit.leaderboard import disagreements


def quarrel() -> SampleDb:
    """People and `good` agree everywhere but on two pairs of c0 and c1."""
    sample, worth = scored_run(8)
    sample.study("panel", list(SKILL), ["alignment"])
    cast(sample, worth, votes=3)
    for case, value in (("c0", 6.0), ("c1", 4.5)):
        sample.db.execute(
            "UPDATE score_rows SET value = ? WHERE output = 'good' AND trial = ?",
            [value, sample.trial_id("product", case, "c")],
        )
        sample.db.execute(
            "UPDATE vote_rows SET answer = CASE WHEN b.left_system = 'c' THEN 'right' ELSE 'left' END "
            'FROM ballot_rows b WHERE b.ballot = vote_rows.ballot AND b."case" = ? '
            "AND 'c' IN (b.left_system, b.right_system)",
            [case],
        )
    return sample


def test_strongest_first_and_each_pair_once() -> None:
    found = disagreements(quarrel().db)
    assert [entry.case for entry in found[:2]] == ["c0", "c0"]
    assert all(entry.preferred.system == "c" for entry in found[:4])
    assert {entry.case for entry in found[:4]} == {"c0", "c1"}
    strengths = [entry.strength for entry in found]
    assert strengths == sorted(strengths, reverse=True)
    assert len({entry.pair for entry in found}) == len(found)
    first = found[0]
    assert (first.why, first.criterion, first.output) == ("opposed", "alignment", "good")
    assert (first.agree, first.oppose, first.neither) == (0, 3, 0)
    assert first.strength == pytest.approx(first.z * 3 / 4)
    assert first.preferred.value == 6.0


def test_only_sure_headline_outputs_that_people_oppose_get_in() -> None:
    found = disagreements(quarrel().db)
    assert {entry.output for entry in found} == {"good"}
    assert all(entry.z >= 1.0 and entry.oppose > entry.agree for entry in found)


def test_nothing_waits_without_votes_and_flags() -> None:
    assert disagreements(scored_run(4)[0].db) == ()


def test_a_limit_is_kept() -> None:
    found = disagreements(quarrel().db)
    assert disagreements(quarrel().db, limit=1) == found[:1]


def test_scores_in_doubt_wait_too_beside_the_picture_they_differ_most_from() -> None:
    sample, worth = scored_run(4)
    trial = sample.trial_id("product", "c2", "b")
    sample.db.execute(
        "UPDATE score_rows SET flag = 'unreliable' WHERE output = 'good' AND trial = ?", [trial]
    )
    (found,) = disagreements(sample.db)
    assert (found.why, found.case, found.criterion, found.strength) == ("unreliable", "c2", "", 0.0)
    sides = {side.system: side for side in (found.preferred, found.other)}
    assert (sides["b"].trial, sides["b"].flag) == (trial, "unreliable")
    other = next(system for system in sides if system != "b")
    gaps = {s: abs(worth[sample.trial_id("product", "c2", s)] - worth[trial]) for s in ("a", "c")}
    assert other == max(gaps, key=lambda system: gaps[system])


def test_a_quarter_of_the_queue_is_kept_for_scores_in_doubt() -> None:
    sample = quarrel()
    sample.db.execute("UPDATE score_rows SET flag = 'unreliable' WHERE output = 'good'")
    found = disagreements(sample.db, limit=4)
    assert [entry.why for entry in found] == ["opposed"] * 3 + ["unreliable"]


def test_a_metric_is_held_to_the_criterion_it_agrees_with_best() -> None:
    """People vote on appeal against the metric throughout: that is not what it is about."""
    sample, worth = scored_run(8)
    sample.study("panel", list(SKILL), ["alignment", "appeal"])
    cast(sample, worth, votes=2)
    sample.db.execute(
        "INSERT INTO vote_rows SELECT study, ballot, 'appeal', CASE answer WHEN 'left' THEN 'right' "
        "WHEN 'right' THEN 'left' ELSE answer END, t FROM vote_rows"
    )
    assert {entry.criterion for entry in disagreements(sample.db)} <= {"alignment"}
