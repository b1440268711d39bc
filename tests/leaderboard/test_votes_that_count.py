"""Withdrawn pictures, votes of nobody known and imported studies: what each board makes of them."""

from __future__ import annotations

from sampledb import T0, SampleDb
from votedsample import CATEGORY, SKILL, cast, insert, scored_run

from evalkit.leaderboard import disagreements, validity_board
from evalkit.leaderboard.evidence import read_evidence
from evalkit.leaderboard.metrics import metric_board
from evalkit.leaderboard.rankings import questions_of
from evalkit.report.context import find_studies


def voted(cases: int = 12, votes: int = 1) -> SampleDb:
    sample, worth = scored_run(cases)
    sample.study("panel", list(SKILL), ["alignment"])
    cast(sample, worth, votes=votes)
    return sample


def withdraw(sample: SampleDb, case: str, system: str, study: str = "panel") -> str:
    trial = sample.trial_id(CATEGORY, case, system)
    sample.row("withdrawn_rows", study=study, trial=trial, reason="a logo", t=T0)
    return trial


def give_import(sample: SampleDb, study: str = "old", *, rater: str | None = None, times: int = 1) -> None:
    """The panel's votes as an imported study that says which pictures were shown, not which cases."""
    sample.study(study, list(SKILL), ["alignment"], run=None, imported=True)
    sample.db.execute(
        f"""
        INSERT INTO imported_rows BY NAME
        SELECT ? AS study, ballot || '-' || i AS ballot, true AS "first", criterion, answer,
            ?::VARCHAR AS rater, left_system, right_system, left_trial, right_trial, t,
            false AS simulated, false AS withdrawn, 1.0::DOUBLE AS weight
        FROM votes, range({times}) r(i) WHERE study = 'panel'""",
        [study, rater],
    )


def test_votes_on_withdrawn_pictures_say_nothing_about_metrics() -> None:
    sample = voted()
    assert validity_board(sample.db).n_votes == 36
    withdraw(sample, "c0", "a")
    board = validity_board(sample.db)
    assert board.n_votes == 34
    sample.db.execute("UPDATE score_rows SET value = NULL WHERE trial = ?", [withdraw(sample, "c1", "b")])
    assert validity_board(sample.db).n_votes == 32


def test_withdrawn_pictures_wait_for_no_second_look() -> None:
    sample = voted(8, votes=3)
    against = sample.trial_id(CATEGORY, "c0", "c")
    sample.db.execute("UPDATE score_rows SET value = 9 WHERE output = 'good' AND trial = ?", [against])
    sample.db.execute(
        "UPDATE vote_rows SET answer = CASE WHEN b.left_system = 'c' THEN 'right' ELSE 'left' END "
        "FROM ballot_rows b WHERE b.ballot = vote_rows.ballot AND b.\"case\" = 'c0' "
        "AND 'c' IN (b.left_system, b.right_system)"
    )
    assert any(against in entry.pair for entry in disagreements(sample.db))
    withdraw(sample, "c0", "c")
    assert not any(against in entry.pair for entry in disagreements(sample.db))


def test_withdrawn_votes_of_people_do_not_hide_simulated_ones() -> None:
    sample, worth = scored_run(4)
    sample.study("robots", list(SKILL), ["alignment"], simulated=True)
    cast(sample, worth, "robots", simulated=True)
    sample.study("panel", list(SKILL), ["alignment"])
    sample.vote("panel", "b1", ("a", "b"), (CATEGORY, "c0"), alignment="left")
    sample.vote("panel", "b2", ("a", "b"), (CATEGORY, "c1"), alignment="skip")
    assert (validity_board(sample.db).simulated, validity_board(sample.db).n_votes) == (False, 1)
    withdraw(sample, "c0", "a")
    board = validity_board(sample.db)
    assert (board.simulated, board.n_votes) == (True, 12)
    both = ["panel", "robots"]
    assert [asked.simulated for asked in questions_of(sample.db, both)] == [True]
    sample.vote("panel", "b3", ("a", "b"), (CATEGORY, "c2"), alignment="left")
    assert [asked.simulated for asked in questions_of(sample.db, both)] == [False]


def test_votes_without_a_rater_stand_each_alone() -> None:
    sample = voted(votes=2)
    sample.db.execute("UPDATE ballot_rows SET rater = NULL")
    board = metric_board(sample.db)
    (part,) = read_evidence(sample.db, board, sample.run).parts
    assert part.votes.rater.size == 72
    assert len(set(part.votes.rater.tolist())) == 72
    sample.db.execute("UPDATE ballot_rows SET rater = 'one' WHERE ballot < 'panel-00036'")
    (part,) = read_evidence(sample.db, board, sample.run).parts
    assert part.votes.rater.size == 18 + 36
    assert len(set(part.votes.rater.tolist())) == 1 + 36


def test_imported_votes_on_pictures_of_the_run_count_where_their_study_is_named() -> None:
    sample = voted()
    alone = validity_board(sample.db)
    give_import(sample, rater="somebody")
    assert validity_board(sample.db).n_votes == alone.n_votes == 36
    board = validity_board(sample.db, studies=["old"])
    assert (board.n_votes, board.studies, board.simulated) == (36, ("old",), False)
    (part,) = read_evidence(sample.db, metric_board(sample.db), sample.run, ["old"]).parts
    assert (part.category, len(set(part.votes.prompt.tolist()))) == (CATEGORY, 12)
    give_import(sample, "many", times=3)
    assert validity_board(sample.db, studies=["many"]).n_votes == 108
    sample.db.execute("UPDATE imported_rows SET withdrawn = true WHERE study = 'many' AND ballot LIKE '%-0'")
    assert validity_board(sample.db, studies=["many"]).n_votes == 72


def test_imported_votes_on_other_pictures_do_not_hide_simulated_ones() -> None:
    sample, worth = scored_run(4)
    sample.study("robots", list(SKILL), ["alignment"], simulated=True)
    cast(sample, worth, "robots", simulated=True)
    sample.study("arena", list(SKILL), ["alignment"], run=None, imported=True)
    told = {"study": "arena", "ballot": "v1", "first": True, "criterion": "alignment", "answer": "left"}
    sides = {"left_system": "a", "right_system": "b"}
    insert(
        sample, "imported_rows", [{**told, **sides, "simulated": False, "withdrawn": False, "weight": 1.0}]
    )
    board = validity_board(sample.db, studies=["arena", "robots"])
    assert (board.simulated, board.n_votes) == (True, 12)


def test_a_vote_on_pictures_of_two_cases_compares_nothing() -> None:
    sample = voted(4)
    sample.db.execute(
        "UPDATE ballot_rows SET right_trial = ? WHERE ballot = 'panel-00000'",
        [sample.trial_id(CATEGORY, "c3", "c")],
    )
    assert validity_board(sample.db).n_votes == 11


def test_a_report_counts_the_ballots_that_can_count() -> None:
    sample = voted(4)
    give_import(sample)
    assert [(s.study, s.ballots, s.raters) for s in find_studies(sample.db, sample.run, None)] == [
        ("panel", 12, len(raters_of(sample)))
    ]
    named = find_studies(sample.db, sample.run, ["old"])
    assert [(s.study, s.ballots, s.raters, s.simulated) for s in named] == [("old", 12, 0, False)]
    for system in SKILL:
        withdraw(sample, "c0", system)
    assert [s.ballots for s in find_studies(sample.db, sample.run, None)] == [9]
    for case in ("c1", "c2", "c3"):
        for system in SKILL:
            withdraw(sample, case, system)
    assert find_studies(sample.db, sample.run, None) == ()


def raters_of(sample: SampleDb) -> set[str]:
    return {str(rater) for (rater,) in sample.db.execute("SELECT DISTINCT rater FROM ballot_rows").fetchall()}
