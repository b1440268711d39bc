"""Which faults each system has, and copies of one picture that only a whole run shows."""

from __future__ import annotations

import numpy as np
import pytest
from sampledb import SampleDb

from evalkit.leaderboard.faults import fault_board, faulty_pictures
from evalkit.metrics.delivery import fingerprint


@pytest.fixture
def sample() -> SampleDb:
    made = SampleDb()
    made.suite("edits", category="edit-preservation")
    made.suite("things", category="product")
    for case in ("e1", "e2", "e3"):
        made.case("edits", case, task="edit", source_sha="s1", mask_sha="m", cluster="one")
    for case in ("t1", "t2", "t3", "t4"):
        made.case("things", case)
    for system in ("a", "b"):
        made.system(system)
    made.metric("faults", "fault", better="lower", low=0, high=1)
    made.metric("delivery", "delivered_megapixels", better="neither")
    return made


def judged(sample: SampleDb, suite: str, case: str, fault: str = "", picture=None, **trial) -> str:
    made = sample.trial(suite, case, trial.pop("system", "a"), **trial)
    sample.score(made, "faults", "fault", float(bool(fault)), detail=f"{fault}: because" if fault else "")
    if picture is not None:
        sample.score(made, "delivery", "delivered_megapixels", 1.0, detail=f"x; {fingerprint(picture)}")
    return made


def test_rates_count_what_was_looked_at(sample: SampleDb) -> None:
    judged(sample, "edits", "e1", "noop")
    judged(sample, "edits", "e2")
    sample.trial("edits", "e3", "a")
    judged(sample, "things", "t1")
    rows = {(r.category, r.system, r.fault): r for r in fault_board(sample.db)}
    assert set(rows) == {
        ("edit-preservation", "a", "any"),
        ("edit-preservation", "a", "noop"),
        ("product", "a", "any"),
    }
    noop = rows["edit-preservation", "a", "noop"]
    assert (noop.count, noop.pictures, noop.rate.value) == (1, 2, 0.5)
    assert noop.rate.low is None or noop.rate.low < 0.05
    assert noop.examples[0].evidence == "because"
    assert rows["product", "a", "any"].count == 0
    assert rows["product", "a", "any"].rate.high > 0.9


def test_the_same_bytes_for_another_case_are_a_duplicate(sample: SampleDb) -> None:
    judged(sample, "things", "t1", image="same")
    judged(sample, "things", "t2", image="same")
    judged(sample, "things", "t3", image="other")
    judged(sample, "things", "t1", image="same", system="b")
    found = {(p.system, p.case): (p.fault, p.evidence) for p in faulty_pictures(sample.db)}
    assert found["a", "t1"] == ("duplicate", "the same picture as things/t2")
    assert found["a", "t2"] == ("duplicate", "the same picture as things/t1")
    assert found["a", "t3"] == found["b", "t1"] == ("", "")


def test_replicates_of_one_case_are_no_duplicates(sample: SampleDb) -> None:
    judged(sample, "things", "t1", image="same")
    judged(sample, "things", "t1", image="same", replicate=1)
    assert {p.fault for p in faulty_pictures(sample.db)} == {""}


def test_a_copy_that_was_compressed_again_is_found(sample: SampleDb, photo, other) -> None:
    from evalkit.studio import distort

    judged(sample, "things", "t1", picture=photo)
    judged(sample, "things", "t2", picture=distort.compressed(photo, 60))
    judged(sample, "things", "t3", picture=other)
    judged(sample, "things", "t4", picture=np.ascontiguousarray(photo[..., [1, 0, 2]]))
    found = {p.case: p.fault for p in faulty_pictures(sample.db)}
    assert found == {"t1": "duplicate", "t2": "duplicate", "t3": "", "t4": ""}


def test_edits_of_one_source_are_alike_anyway(sample: SampleDb, photo) -> None:
    judged(sample, "edits", "e1", picture=photo, image="x")
    judged(sample, "edits", "e2", picture=photo, image="y")
    judged(sample, "edits", "e3", "noop", picture=photo, image="x")
    found = {p.case: p.fault for p in faulty_pictures(sample.db)}
    assert found == {"e1": "", "e2": "", "e3": "noop"}


@pytest.fixture(scope="module")
def photo():
    from skimage import data

    return np.asarray(data.coffee())


@pytest.fixture(scope="module")
def other():
    from skimage import data

    return np.asarray(data.astronaut())


def test_nothing_looked_at_is_an_empty_board(sample: SampleDb) -> None:
    sample.trial("things", "t1", "a")
    assert fault_board(sample.db) == ()
    assert [p.looked for p in faulty_pictures(sample.db)] == [False]
