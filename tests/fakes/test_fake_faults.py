"""The grammar of faults: it reads back what it writes, and a misspelled fault is an error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.fakes import BadDirective, Directive, Plan, parse, render
from evalkit.fakes.faults import NAMES, SETTINGS, WITH_STATUS, strip

WORDS = st.text("abcXYZ019_.-", min_size=1, max_size=8)
OPTIONS = st.lists(st.tuples(st.sampled_from(["ra", "in", "after", "queue"]), WORDS), max_size=2).map(tuple)
TIMES = st.none() | st.integers(0, 99)


def directives() -> st.SearchStrategy[Directive]:
    named = [(stage, name) for stage, names in NAMES.items() for name in names]
    named += [(stage, str(code)) for stage in WITH_STATUS for code in (402, 429, 500)]
    faults = st.builds(
        lambda at, *rest: Directive(*at, *rest),
        st.sampled_from(sorted(named)),
        st.just("") | WORDS,
        TIMES,
        OPTIONS,
    )
    settings = st.builds(Directive, st.just(""), st.sampled_from(sorted(SETTINGS)), WORDS, TIMES, OPTIONS)
    return faults | settings


@given(st.lists(directives(), min_size=1, max_size=5))
def test_what_is_written_is_read_back(wanted: list[Directive]) -> None:
    assert parse(f"a fox {render(wanted)} in snow") == tuple(wanted)
    assert strip(f"a fox {render(wanted)} in snow") == "a fox in snow"


@given(st.text("[]:;=*, asubmitdrop429", max_size=60))
def test_any_text_is_a_prompt_or_a_complaint(text: str) -> None:
    with contextlib.suppress(BadDirective):
        assert all(directive.stage in ("", *NAMES) for directive in parse(text))


def test_the_documented_examples() -> None:
    first, second = parse("[[submit:429*2,ra=1; dl:truncate]]")
    assert first == Directive("submit", "429", "", 2, (("ra", "1"),))
    assert second == Directive("dl", "truncate")
    assert parse("[[speed=real]] and [[polls=1]]") == (
        Directive("", "speed", "real"),
        Directive("", "polls", "1"),
    )


@pytest.mark.parametrize("text", ["[[wiki]]", "[[see: this]]", "a [[b]] c", "[[]]"])
def test_other_brackets_are_only_text(text: str) -> None:
    assert parse(text) == ()
    assert strip(text) == text


@pytest.mark.parametrize(
    "text",
    ["[[submit:drp]]", "[[submit:429 twice]]", "[[end:500]]", "[[submit:999]]", "[[dl:truncate; oops]]"],
)
def test_a_misspelled_fault_is_an_error(text: str) -> None:
    with pytest.raises(BadDirective):
        parse(text)


def test_times_count_down_and_always_means_always() -> None:
    plan = Plan(parse("[[submit:429*2; submit:500*1; poll:drop]]"))
    assert [d.name if (d := plan.hit("submit")) else None for _ in range(4)] == ["429", "429", "500", None]
    assert [plan.hit("poll", "drop") is not None for _ in range(5)] == [True] * 5


def test_slow_combines_with_other_faults() -> None:
    plan = Plan(parse("[[submit:slow=0.5*1; submit:429]]"))
    assert (plan.delay("submit"), plan.delay("submit")) == (0.5, 0.0)
    assert plan.hit("submit") == Directive("submit", "429")
