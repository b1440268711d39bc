from __future__ import annotations

import stat
from dataclasses import asdict, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.store import Workspace
from evalkit.study.tickets import Handle, Sealer, Ticket, Tickets, study_secret

SECRET = bytes(range(32))
TICKET = Ticket("ballot", "comparison", "a", "r-1", 1_760_000_000.25, 0.125, 0.5)
SEALED = Tickets(SECRET).seal_ballot(TICKET)


def test_a_ticket_survives_a_restart() -> None:
    assert Tickets(SECRET).open_ballot(Tickets(SECRET).seal_ballot(TICKET)) == TICKET


def test_a_ticket_from_before_a_field_was_added_still_counts() -> None:
    old = asdict(TICKET)
    del old["pair_propensity"]
    opened = Tickets(SECRET).open_ballot(Sealer(SECRET, "ballot").seal(old))
    assert opened == replace(TICKET, pair_propensity=None)


def test_how_likely_a_pair_was_does_not_show_in_the_length_of_its_ticket() -> None:
    name, rater, ends = "0" * 24, "r-0123456789ab", ((1.0, 1.0), (0.00012345678901234567, 1 / 3))
    sealed = [
        Tickets(SECRET).seal_ballot(Ticket(name, name, "a", rater, 1_760_000_000.123456, *both))
        for both in ends
    ]
    assert len({len(text) for text in sealed}) == 1


def test_nothing_can_be_read_from_a_ticket_not_even_its_length() -> None:
    tickets = Tickets(SECRET)
    other = Ticket("ballot", "comparison", "b", "r-1", 1.0, 1 / 3, 2 / 3)
    one, two, three = tickets.seal_ballot(TICKET), tickets.seal_ballot(TICKET), tickets.seal_ballot(other)
    assert one != two
    assert len(one) == len(two) == len(three)


def test_one_kind_is_not_taken_for_another() -> None:
    tickets = Tickets(SECRET)
    handle = tickets.seal_image(Handle("sha", None, "ballot", "left", 1.0))
    assert tickets.open_ballot(handle) is None
    assert tickets.open_rater(tickets.seal_ballot(TICKET)) is None
    assert tickets.open_image(tickets.seal_rater("r-1")) is None
    assert Tickets(b"x" * 32).open_image(handle) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_ticket_is_no_ticket(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SEALED) - 1))
    letter = data.draw(st.characters(exclude_characters=[SEALED[at]]))
    changed = SEALED[:at] + letter + SEALED[at + 1 :]
    opened = Tickets(SECRET).open_ballot(changed)
    assert opened is None or opened == TICKET, "base64 may spell the same bytes in two ways"


@given(st.text(max_size=300))
def test_any_text_is_no_ticket(text: str) -> None:
    assert Tickets(SECRET).open_ballot(text) is None


def test_ballot_ids_are_the_same_for_the_same_rater_and_comparison_only() -> None:
    tickets = Tickets(SECRET)
    assert tickets.ballot_id("r", "c") == Tickets(SECRET).ballot_id("r", "c")
    different = {tickets.ballot_id(r, c) for r in ("r", "q") for c in ("c", "d")}
    assert len(different | {Tickets(b"y" * 32).ballot_id("r", "c")}) == 5


def test_the_sealer_opens_only_objects() -> None:
    sealer = Sealer(SECRET, "p")
    assert sealer.open(sealer.seal({"x": 1})) == {"x": 1}
    assert sealer.open("") is None


def test_the_secret_is_made_once_and_belongs_to_its_owner(workspace: Workspace) -> None:
    (workspace.studies / "s").mkdir(parents=True)
    secret = study_secret(workspace, "s")
    path = workspace.studies / "s" / "secret.key"
    assert len(secret) == 32
    assert study_secret(workspace, "s") == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret.key"]
