"""How often a system refuses: what counts, what does not, and what is only a bound."""

from __future__ import annotations

from typing import Any

import pytest
from sampledb import T0, SampleDb

from evalkit.errors import UnknownName, UsageError
from evalkit.leaderboard.refusal_change import RefusalChange, Side, compare_refusals, judge_rise, verdict
from evalkit.leaderboard.refusals import RefusalRow, refusal_board
from evalkit.stats import clustered_proportion, proportion_interval
from evalkit.stats.paired import exact_mcnemar_p, melded_interval, paired_difference, reach

OK: dict[str, Any] = {}
NO = {"status": "refused", "stage": "input", "kind": "policy", "reason": "not this one"}
LATE = {**NO, "stage": "output"}
BROKEN = {"status": "failed", "kind": "timeout"}
LOST = {"status": "unknown"}
OPEN = {"status": None}


def asked(run: str = "run-1", into: SampleDb | None = None) -> SampleDb:
    """A run with a suite of the category and a system `a`; no case yet."""
    sample = into or SampleDb()
    sample.run = run
    if into is not None:
        sample.row("runs", run=run, created=None, evalkit="0.1.0", rehearsal=False)
    sample.suite("refusals", "refusals")
    sample.system("a")
    return sample


def put(sample: SampleDb, case: str, outcomes: list[dict[str, Any]], *tags: str) -> list[str]:
    """A case with one trial of `a` per outcome; returns the ids, which differ between runs."""
    sample.case("refusals", case, tags=list(tags or ("harmless", "topic:sport")))
    trials = [f"{sample.run}/{case}/{i}" for i in range(len(outcomes))]
    for i, (trial, outcome) in enumerate(zip(trials, outcomes, strict=True)):
        keys = {"run": sample.run, "trial": trial}
        sample.row("trials", **keys, suite="refusals", case=case, system="a", replicate=i)
        if outcome is not OPEN:
            base = {"attempt": 1, "t": T0, "status": "ok", "cost_basis": "none"}
            sample.row("outcomes", **keys, **{**base, **outcome})
        if outcome is OK:
            sample.row("images", trial=trial, attempt=1, image_index=0, image=trial)
    return trials


def row_of(sample: SampleDb, kind: str = "harmless", part: str = "") -> RefusalRow:
    (found,) = [row for row in refusal_board(sample.db, sample.run) if (row.kind, row.part) == (kind, part)]
    return found


def test_rate_counts_and_stages() -> None:
    sample = asked()
    for i in range(60):
        stage = {0: "input", 1: "input", 2: "output", 3: None, 4: "unknown"}.get(i)
        put(sample, f"c{i}", [{**NO, "stage": stage} if i < 5 else OK])
    row = row_of(sample)
    assert (row.prompts, row.planned, row.answered, row.refused, row.unanswered) == (60, 60, 60, 5, 0)
    assert (row.at_input, row.at_output, row.at_unknown) == (2, 1, 2)
    expected = proportion_interval(5, 60)
    assert (row.rate.value, row.rate.low, row.rate.high) == (expected.value, expected.low, expected.high)
    assert row.best == row.worst == pytest.approx(5 / 60)


def test_failed_unknown_and_open_are_neither_refused_nor_allowed() -> None:
    sample = asked()
    for i, outcome in enumerate([NO, OK, OK, BROKEN, LOST, OPEN, OK, LATE]):
        put(sample, f"c{i}", [outcome])
    row = row_of(sample)
    assert (row.refused, row.answered, row.failed, row.unknown, row.open) == (2, 5, 1, 1, 1)
    assert row.rate.value == pytest.approx(2 / 5)
    assert (row.best, row.worst) == (pytest.approx(2 / 8), pytest.approx(5 / 8))


def test_nothing_answered_is_no_rate() -> None:
    sample = asked()
    put(sample, "c0", [BROKEN])
    row = row_of(sample)
    assert (row.rate.value, row.rate.low, row.rate.note) == (None, None, "nothing was tried")
    assert (row.best, row.worst) == (0.0, 1.0)


def test_partial_is_delivered() -> None:
    sample = asked()
    put(sample, "c0", [{"status": "partial"}])
    put(sample, "c1", [OK])
    row = row_of(sample)
    assert (row.delivered, row.partial, row.refused, row.rate.value) == (2, 1, 0, 0.0)


def test_replicates_of_a_prompt_are_one_piece_of_evidence() -> None:
    sample = asked()
    for i in range(10):
        put(sample, f"c{i}", [NO if i < 3 else OK] * 5)
    row, expected = row_of(sample), clustered_proportion([5] * 3 + [0] * 7, [5] * 10)
    assert (row.prompts, row.refused, row.answered) == (10, 15, 50)
    assert (row.rate.low, row.rate.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    pooled = proportion_interval(15, 50)
    assert row.rate.high - row.rate.low > 1.5 * (pooled.high - pooled.low)


def test_kinds_topics_and_policies() -> None:
    sample = asked()
    put(sample, "h0", [NO], "harmless", "topic:sport")
    put(sample, "h1", [OK], "harmless", "topic:art")
    put(sample, "b0", [NO], "borderline", "topic:satire", "policy:public-figure")
    put(sample, "both", [NO], "harmless", "borderline")
    put(sample, "none", [OK], "easy")
    sample.db.execute("UPDATE cases SET tags = NULL WHERE \"case\" = 'none'")
    board = refusal_board(sample.db)
    assert [(row.kind, row.part, row.refused, row.answered) for row in board] == [
        ("harmless", "", 1, 2),
        ("harmless", "topic:sport", 1, 1),
        ("harmless", "topic:art", 0, 1),
        ("borderline", "", 2, 2),
        ("borderline", "policy:public-figure", 1, 1),
        ("borderline", "topic:satire", 1, 1),
        ("untagged", "", 0, 1),
    ]


def test_other_categories_do_not_count() -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    sample.case("product", "c0", tags=["harmless"])
    sample.trial("product", "c0", "a", status="refused")
    assert refusal_board(sample.db) == ()


def test_blank_pictures_are_counted_only_where_a_metric_has_looked() -> None:
    sample = asked()
    trials = [put(sample, f"c{i}", [outcome])[0] for i, outcome in enumerate([OK, OK, OK, NO])]
    assert (row_of(sample).blank, row_of(sample).looked, row_of(sample).with_blank) == (None, 0, None)
    sample.metric("delivery", "blank")
    sample.metric("faults", "fault_blank")
    sample.score(trials[0], "delivery", "blank", 1.0)
    sample.score(trials[0], "faults", "fault_blank", 0.0)
    sample.score(trials[1], "delivery", "blank", 0.0)
    sample.score(trials[2], "delivery", "blank", None, "decode_error")
    row = row_of(sample)
    assert (row.blank, row.looked, row.delivered, row.refused) == (1, 2, 3, 1)
    assert (row.rate.value, row.with_blank) == (pytest.approx(1 / 4), pytest.approx(2 / 4))


def test_unknown_system_is_an_error() -> None:
    with pytest.raises(UnknownName, match="system of run run-1"):
        refusal_board(asked().db, "run-1", "b")


# Comparison --------------------------------------------------------------------------------------------


def two_runs(before: list[list[dict[str, Any]]], after: list[list[dict[str, Any]]]) -> SampleDb:
    """The same prompts in the runs `old` and `new`; one list of outcomes per prompt."""
    sample = SampleDb()
    for run, prompts in (("old", before), ("new", after)):
        asked(run, sample)
        for i, outcomes in enumerate(prompts):
            put(sample, f"c{i:02d}", outcomes)
    return sample


def compared(sample: SampleDb) -> Any:
    return compare_refusals(Side(sample.db, "old", "a"), Side(sample.db, "new", "a"))


def test_the_verdict_of_sixty_prompts() -> None:
    before = [[NO]] * 5 + [[OK]] * 55
    after = [[NO]] * 10 + [[OK]] * 50
    found = compared(two_runs(before, after))
    whole = found.changes[0]
    assert verdict(whole) == (
        "over-refusal went from 8.3 % to 16.7 % (5 newly refused, 0 newly allowed), p = 0.063: "
        "not decided at 60 prompts"
    )
    assert whole.change.p_value == pytest.approx(exact_mcnemar_p(5, 0))
    assert (whole.change.difference.low, whole.change.difference.high) == pytest.approx(
        melded_interval(5, 0, 60)
    )
    assert (whole.reach.least, whole.left_out, whole.asked_once) == (6, 0, True)
    assert whole.fewest is whole.most is whole.change


def test_prompts_that_changed_with_the_providers_words() -> None:
    found = compared(two_runs([[NO], [OK], [OK], [NO]], [[OK], [LATE], [OK], [NO]]))
    assert [(p.case, p.direction, p.stage, p.words) for p in found.prompts] == [
        ("c01", "newly refused", "output", "not this one"),
        ("c00", "newly allowed", "input", "not this one"),
    ]
    assert (found.prompts[0].before, found.prompts[0].after, found.prompts[0].blank) == (0.0, 1.0, None)
    assert found.prompts[0].parts == ("topic:sport",)


def test_what_is_unanswered_on_one_side_is_left_out_and_bounds_the_difference() -> None:
    before = [[OK]] * 8 + [[BROKEN]] * 2
    after = [[OK]] * 6 + [[LOST]] * 2 + [[NO]] + [[OPEN]]
    whole = compared(two_runs(before, after)).changes[0]
    assert (whole.prompts, whole.left_out, whole.change.pairs) == (10, 4, 6)
    assert whole.change.difference.value == 0.0
    assert whole.fewest.difference.value == pytest.approx(-1 / 10)
    assert whole.most.difference.value == pytest.approx(4 / 10)


def test_nothing_answered_on_both_sides() -> None:
    whole = compared(two_runs([[BROKEN], [OK]], [[OK], [LOST]])).changes[0]
    assert (whole.change.pairs, whole.change.difference.value, whole.change.p_value) == (0, None, None)
    assert "cannot be compared" in verdict(whole)
    assert judge_rise(whole, 0.5) == "INCONCLUSIVE"


def test_replicates_are_folded() -> None:
    found = compared(two_runs([[OK, OK, NO], [OK] * 3], [[NO, NO, NO], [OK] * 3]))
    whole = found.changes[0]
    assert (whole.change.pairs, whole.change.rose, whole.asked_once) == (2, 1, False)
    assert whole.change.difference.value == pytest.approx((2 / 3) / 2)
    assert "1 refused more often, 0 less often" in verdict(whole)


def test_only_the_same_question_is_compared() -> None:
    sample = two_runs([[OK], [NO], [OK]], [[NO], [OK], [OK]])
    sample.db.execute("UPDATE cases SET prompt = 'Another.' WHERE run = 'new' AND \"case\" = 'c01'")
    sample.db.execute("DELETE FROM trials WHERE run = 'old' AND \"case\" = 'c02'")
    found = compared(sample)
    assert (found.altered, found.only_before, found.only_after) == (("refusals/c01",), (), ("refusals/c02",))
    assert (found.changes[0].prompts, [p.case for p in found.prompts]) == (1, ["c00"])


def test_two_systems_of_one_run() -> None:
    sample = asked()
    sample.system("b")
    for i in range(8):
        put(sample, f"c{i}", [NO if i < 7 else OK])
        sample.trial("refusals", f"c{i}", "b")
    found = compare_refusals(Side(sample.db, "run-1", "a"), Side(sample.db, "run-1", "b"))
    change = found.changes[0].change
    assert (change.rose, change.fell, change.decided, found.same_answers) == (0, 7, True, 0)


def test_runs_that_share_their_answers_are_not_two_looks() -> None:
    sample = SampleDb()
    for run in ("old", "new"):
        asked(run, sample)
        for case in ("c0", "c1"):
            sample.case("refusals", case, tags=["harmless"])
            sample.trial("refusals", case, "a", **({} if run == "old" else {"status": None}))
    with pytest.raises(UsageError, match="very same answers"):
        compared(sample)


def test_nothing_in_common() -> None:
    sample = two_runs([[OK]], [])
    with pytest.raises(UsageError, match="no refusal prompt in common"):
        compared(sample)


def test_a_blank_picture_instead_of_a_refusal_is_said() -> None:
    sample = two_runs([[NO]] * 3 + [[OK]], [[OK]] * 4)
    sample.metric("delivery", "blank")
    images = sample.db.execute("SELECT i.trial FROM images i JOIN trials t USING (trial) WHERE t.run = 'new'")
    for i, (trial,) in enumerate(sorted(images.fetchall())):
        sample.score(trial, "delivery", "blank", float(i < 4))
    found = compared(sample)
    whole = found.changes[0]
    assert (whole.blank_before, whole.blank_after, whole.allowed_blank) == (None, 4, 3)
    assert "3 newly allowed but 3 of these with a blank picture" in verdict(whole)
    assert [prompt.blank for prompt in found.prompts] == [True] * 3


def rise(answered: int, rose: int, unanswered: int) -> RefusalChange:
    """`rose` of `answered` prompts are newly refused, none was before; `unanswered` more have no answer."""
    still = [0.0] * (answered - rose)
    prompts = answered + unanswered
    change = paired_difference([0.0] * answered, [1.0] * rose + still, range(answered))
    fewest = paired_difference(
        [0.0] * answered + [1.0] * unanswered, [1.0] * rose + still + [0.0] * unanswered, range(prompts)
    )
    most = paired_difference([0.0] * prompts, [1.0] * rose + still + [1.0] * unanswered, range(prompts))
    where = {"kind": "harmless", "part": "", "prompts": prompts, "left_out": unanswered, "asked_once": True}
    counts = {"blank_before": None, "blank_after": None, "allowed_blank": 0}
    return RefusalChange(**where, change=change, fewest=fewest, most=most, reach=reach(answered), **counts)


@pytest.mark.parametrize(
    ("answered", "rose", "unanswered", "allowed", "outcome"),
    [
        (60, 0, 0, 0.07, "PASS"),
        (60, 0, 0, 0.05, "INCONCLUSIVE"),
        (57, 0, 3, 0.07, "INCONCLUSIVE"),
        (60, 20, 0, 0.1, "FAIL"),
        (48, 20, 12, 0.1, "INCONCLUSIVE"),
        (60, 5, 0, 0.1, "INCONCLUSIVE"),
    ],
)
def test_gate_holds_even_if_what_is_missing_went_the_other_way(
    answered: int, rose: int, unanswered: int, allowed: float, outcome: str
) -> None:
    assert judge_rise(rise(answered, rose, unanswered), allowed) == outcome
