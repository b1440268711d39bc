"""The path mini-language."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.remote.paths import find, first, places, steps

ANSWER = {
    "images": [{"url": "a"}, {"url": None}, {"other": 1}, {"url": "c"}],
    "parts": [{"thought": True, "data": "draft"}, {"thought": False, "data": "x"}, {"data": "y"}],
    "info": '{"all_seeds": [7, 8]}',
    "details": {"Moderation Reasons": ["one", "two"]},
    "grid": [[1, 2], [3]],
    "zero": 0,
    "no": False,
    "empty": "",
}

FOUND = {
    "images[*].url": ["a", "c"],
    "images[3].url": ["c"],
    "images[9].url": [],
    "images[*]": [{"url": "a"}, {"url": None}, {"other": 1}, {"url": "c"}],
    "parts[?!thought].data": ["x", "y"],
    "info{}.all_seeds[0]": [7],
    "info{}.all_seeds[*]": [7, 8],
    "details.Moderation Reasons[*]": ["one", "two"],
    "grid[*][*]": [1, 2, 3],
    "grid[0][1]": [2],
    "zero": [0],
    "no": [False],
    "empty": [""],
    "images.url": [],
    "zero{}": [],
    "details{}": [],
    "nothing.at.all": [],
    "": [],
}


@pytest.mark.parametrize(("path", "values"), FOUND.items())
def test_finds(path: str, values: list[object]) -> None:
    assert find(ANSWER, path) == values


def test_a_path_may_begin_with_a_list() -> None:
    assert find([{"url": "a"}, {"url": "b"}], "[1].url") == ["b"]
    assert find('{"a": 1}', "{}.a") == [1]


def test_first_is_none_where_there_is_nothing() -> None:
    assert first(ANSWER, "images[*].url") == "a"
    assert first(ANSWER, "nothing") is None
    assert first(None, "a") is None


@pytest.mark.parametrize("text", ["not json", "[" * 100_000, '{"a": '])
def test_json_that_is_none_finds_nothing(text: str) -> None:
    assert find({"info": text}, "info{}.a") == []


@pytest.mark.parametrize(
    "path", [".a", "a.", "a..b", "a[", "a[-1]", "a[x]", "a[*", "a[?thought]", "a{b}", "a]", "[0]a", "a.[0]"]
)
def test_what_is_no_path_is_said(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        steps(path)


NAMES = st.text(st.characters(exclude_characters=".[]{}", exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(st.lists(st.one_of(NAMES, st.integers(0, 3)), min_size=1, max_size=6), st.integers())
def test_what_lies_at_a_path_is_found_there(keys: list[str | int], value: int) -> None:
    body: object = value
    for key in reversed(keys):
        body = {key: body} if isinstance(key, str) else [None] * key + [body]
    path = "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in keys).removeprefix(".")
    assert find(json.loads(json.dumps(body)), path) == [value]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["a", "a[*].b", "a{}.b", "[*][*]", "a[?!b].c", "[0]"]))
def test_no_answer_makes_it_fail_or_find_null(body: object, path: str) -> None:
    assert None not in find(body, path)


def test_places_keep_what_is_missing() -> None:
    body = {"data": [{"url": None, "safe": False}, {"url": "b", "safe": True}, {"safe": True}]}
    assert places(body, "data[*].url") == [None, "b", None]
    assert len(places(body, "data[*].safe")) == 3
    assert places(body, "") == []
