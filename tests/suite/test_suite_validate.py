"""Each way to get a suite wrong, and that all of them are told at once, with their lines."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.errors import SuiteProblems
from evalkit.suite import check_suite, load_suite

SHAPE = {"kind": "rect", "points": [0.1, 0.1, 0.5, 0.5]}


def shapes(**changes: Any) -> dict[str, Any]:
    return {"shapes": [{**SHAPE, **changes}]}


def test_the_suite_of_these_tests_is_valid(folder: Any) -> None:
    assert folder.problems() == []
    folder.edit()
    assert folder.problems() == []


def test_every_problem_is_reported_at_once_with_its_line(folder: Any) -> None:
    folder.head('name = "other"\nversion = 1.0\ncategory = "products"\nlicence = "CC0 1.0"\nlicense = "x"\n')
    folder.lines(b'{"id": "a", "prompt": "x"}', b"", b"{oops", b'{"id": "a", "prompt": " ", "task": "draw"}')
    (folder.path / "README.md").unlink()
    found = [(p.file.rpartition("/")[2], p.line, p.message) for p in check_suite(folder.path)]
    expected = [
        ("suite.toml", 2, 'must be a string: write version = "1.0"'),
        ("suite.toml", 3, 'did you mean "product"?'),
        ("suite.toml", 4, "use an SPDX identifier"),
        ("suite.toml", 5, 'unknown key "license"; did you mean "licence"?'),
        ("suite.toml", 0, '"description" is missing'),
        ("suite.toml", 1, "the folder is called 'bent'"),
        ("cases.jsonl", 3, "not valid JSON"),
        ("cases.jsonl", 4, "case 'a': \"prompt\" must not be empty"),
        ("cases.jsonl", 4, "\"task\" is 'draw'; known are t2i, edit"),
        ("cases.jsonl", 4, '"id" is already used in line 1'),
        ("README.md", 0, "is missing"),
    ]
    assert [(file, line) for file, line, _ in found] == [(file, line) for file, line, _ in expected]
    for (_, _, message), (_, _, part) in zip(found, expected, strict=True):
        assert part in message


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"id": "Mug"}, "must be lower-case"),
        ({"id": "-mug"}, "must be lower-case"),
        ({"id": 7}, "must be a string, not a number"),
        ({"id": "a\n"}, "must be lower-case"),
        ({"prompt": "\t\n"}, "must not be empty"),
        ({"prompt": None}, "must be a string, not null (leave the key out instead)"),
        ({"aspect_ratio": "16:10"}, "did you mean"),
        ({"aspect_ratio": "5/4"}, "1:1, 4:3"),
        ({"tags": ["a", 1]}, '"tags" item 2 must be a string, not a number'),
        ({"keep": "x"}, '"keep" must be a list of strings, not a string'),
        ({"cluster": True}, "not true or false"),
        ({"expected_text": [""]}, "item 1 must not be empty"),
        ({"checks": [{"count": 2}]}, '"checks" item 1 must have a "kind"'),
        ({"checks": ["count"]}, '"checks" item 1 must be an object'),
        ({"edit_type": "recolor"}, 'did you mean "recolour"?'),
        ({"colour": "red"}, 'unknown key "colour"'),
        ({"mask": 3}, "must be a file name or an object"),
        ({"mask": {}}, 'must have either "shapes" or "file"'),
        ({"mask": {"shapes": []}}, "at least one shape"),
        ({"mask": {"shapes": [SHAPE], "file": "m.png"}}, 'must have either "shapes" or "file"'),
        ({"mask": {"shapes": [SHAPE], "inverted": True}}, 'did you mean "invert"?'),
        ({"mask": {"shapes": [SHAPE], "invert": 1}}, '"invert" must be true or false'),
        ({"mask": shapes(kind="circle")}, "shape 1 "),
        ({"mask": shapes(points=[0.1, 0.1, 1.5, 0.5])}, "1.5 does not"),
        ({"mask": shapes(points=[0.1, -0.1, 0.5, 0.5])}, "-0.1 does not"),
        ({"mask": shapes(points=[0.1, 0.1, 10**400, 0.5])}, "must lie from 0 to 1"),
        ({"mask": shapes(points=[0.1, 0.1, True, 0.5])}, "numbers only"),
        ({"mask": shapes(points=[0.1, 0.1, 0.5])}, "exactly x0, y0, x1, y1"),
        ({"mask": shapes(points=[0.5, 0.1, 0.5, 0.5])}, "has no area"),
        ({"mask": shapes(points=[0.5, 0.1, 0.1, 0.5])}, "has no area"),
        ({"mask": shapes(kind="polygon", points=[0, 0, 1, 1])}, "at least three corners"),
        ({"mask": shapes(kind="polygon", points=[0, 0, 0.5, 0.5, 1])}, "at least three corners"),
        ({"mask": shapes(kind="polygon", points=[0, 0, 0.5, 0.5, 1, 1])}, "encloses no area"),
        ({"mask": {"shapes": [{"kind": "rect"}]}}, 'needs "points"'),
        ({"mask": shapes(points=[0.5, 0.5, 0.501, 0.501])}, "the mask is empty"),
        ({"mask": shapes(points=[0, 0, 1, 1])}, "covers the whole picture"),
        ({"mask": {**shapes(points=[0, 0, 1, 1]), "invert": True}}, "the mask is empty"),
        ({"target_caption": "a red square"}, "must differ"),
    ],
)
def test_a_wrong_key_of_an_edit(folder: Any, changes: dict[str, Any], part: str) -> None:
    folder.edit(**changes)
    problem = folder.problem()
    assert problem.startswith("1: ")
    assert part in problem


@pytest.mark.parametrize("key", ["id", "prompt"])
def test_required_keys(folder: Any, key: str) -> None:
    folder.edit(key)
    assert f'"{key}" is missing' in folder.problem()


def test_an_edit_needs_a_source(folder: Any) -> None:
    folder.edit("source")
    assert 'an edit needs a "source"' in folder.problem()


def test_edit_keys_on_a_text_to_image_case(folder: Any) -> None:
    folder.edit("task")
    assert '"source", "mask", "source_caption", "target_caption", "edit_type", "keep" belong to edits' in (
        folder.problem()
    )


@pytest.mark.parametrize("key", ["mask", "source_caption", "target_caption", "edit_type", "keep"])
def test_edit_preservation_needs_everything(folder: Any, key: str) -> None:
    folder.category("edit-preservation")
    folder.edit()
    assert folder.problems() == []
    folder.edit(key)
    assert f'an edit-preservation case needs "{key}"' in folder.problem()


def test_edit_preservation_takes_edits_only(folder: Any) -> None:
    folder.category("edit-preservation")
    assert 'must have "task": "edit"' in folder.problem()


def test_typography_needs_expected_text(folder: Any) -> None:
    folder.category("typography")
    assert 'needs "expected_text"' in folder.problem()
    folder.cases({"id": "sign", "prompt": "a sign", "expected_text": ["OPEN"]})
    assert folder.problems() == []


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b'{"id": "a", "prompt": "\xff"}', "not valid UTF-8: byte 0xff"),
        (b'{"id": "a", "prompt": "x\\u0000y"}', "holds a NUL character"),
        (b'{"id": "a", "prompt": "x\0y"}', "not valid JSON"),
        (b'{"id": "a", "prompt": "\\ud83d"}', "half of a surrogate pair"),
        (b'{"id": "a", "prompt": null}', "must be a string, not null (leave the key out instead)"),
        (b'["a"]', "must be one JSON object"),
        (b'{"id": "a", "id": "b", "prompt": "x"}', 'the key "id" is given twice'),
        (b'{"id": "a", "prompt": "x", "checks": [{"kind": "n", "n": NaN}]}', "NaN is not a number"),
        (b'{"id": "a", "prompt": "x", "checks": [{"kind": "n", "n": 1e999}]}', "1e999 is too large"),
        (b'{"id": "a", "prompt": "x"', "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"id": "a", "prompt": "x", "checks": [{"kind": "n", "n": ' + b"9" * 5000 + b"}]}", "digits"),
    ],
)
def test_a_line_that_is_not_a_sound_json_object(folder: Any, line: bytes, part: str) -> None:
    folder.lines(b'{"id": "first", "prompt": "x"}', line)
    problem = folder.problem()
    assert problem.startswith("2: ")
    assert part in problem


def test_a_byte_order_mark_is_named(folder: Any) -> None:
    folder.lines(b'\xef\xbb\xbf{"id": "a", "prompt": "x"}')
    assert folder.problem() == "1: starts with a byte order mark; save it as plain UTF-8"


def test_windows_line_ends_and_unicode_separators_are_fine(folder: Any) -> None:
    folder.lines('{"id": "a", "prompt": "x\u2028y"}\r'.encode(), b"\r", b'{"id": "b", "prompt": "\\u00e9"}\r')
    assert folder.problems() == []
    assert [case.prompt for case in load_suite(folder.path).cases] == ["x\u2028y", "\u00e9"]


@pytest.mark.parametrize(
    ("toml", "part"),
    [
        ('name = "bent"\nversion == 1\n', "2: not valid TOML"),
        ('name = "bent', "not valid TOML"),
        ('name = "bent"\nname = "bent"\n', "2: not valid TOML"),
    ],
)
def test_broken_toml(folder: Any, toml: str, part: str) -> None:
    folder.head(toml)
    assert part in folder.problem()


def test_toml_that_is_not_utf8(folder: Any) -> None:
    (folder.path / "suite.toml").write_bytes(b'name = "bent"\nversion = "\xe9"\n')
    assert folder.problem().startswith("2: not valid UTF-8")


def test_a_table_in_the_head_is_an_unknown_key(folder: Any) -> None:
    folder.head((folder.path / "suite.toml").read_text() + "[author]\nname = 'x'\n")
    assert 'unknown key "author"' in folder.problem()


@pytest.mark.parametrize("name", ["suite.toml", "cases.jsonl", "README.md"])
def test_a_missing_file(folder: Any, name: str) -> None:
    (folder.path / name).unlink()
    (problem,) = check_suite(folder.path)
    assert problem.file.endswith(name)
    assert "missing" in problem.message


def test_a_suite_without_cases(folder: Any) -> None:
    folder.lines(b"")
    assert "has no cases" in folder.problem()


def test_loading_a_broken_suite_lists_everything(folder: Any) -> None:
    folder.lines(b"{", b"{")
    with pytest.raises(SuiteProblems) as caught:
        load_suite(folder.path)
    assert len(caught.value.problems) == 2
    assert "cases.jsonl:2" in caught.value.message
    assert "evalkit suite validate" in caught.value.hint
