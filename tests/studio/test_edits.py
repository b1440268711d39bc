"""Edit instructions: each kind changes what it names and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.errors import InvalidInput
from evalkit.studio import NotUnderstood, Scene, apply, parse, parse_edit

STILL = "a green vase on the left and a red mug on the right, on a wooden table, against a cream wall"
WOMAN = "a portrait of a woman with long brown hair, glasses, a blue scarf and a green jumper"
POSTER = "a red poster that says “OPEN” and “9–5”"


def edited(source: str, instruction: str) -> Scene:
    return apply(parse_edit(instruction), parse(source))


@pytest.mark.parametrize(
    ("source", "instruction", "target"),
    [
        (STILL, "make the mug blue, keep everything else", STILL.replace("red mug", "blue mug")),
        (STILL, "Change the colour of the vase to pink.", STILL.replace("green vase", "pink vase")),
        (STILL, "replace the vase with a clock", STILL.replace("green vase", "green clock")),
        (STILL, "replace the vase with two blue clocks", STILL.replace("a green vase", "two blue clocks")),
        (STILL, "change the background to night blue", STILL.replace("cream", "night blue")),
        (STILL, "put everything on grass", STILL.replace("a wooden table", "grass")),
        (STILL, "make the table white", STILL.replace("wooden", "white")),
        (STILL, "make it evening, and keep everything else unchanged", STILL + ", in the evening"),
        (STILL, "turn it into a pencil sketch", "a pencil sketch of " + STILL),
        (POSTER, "change the poster to say “CLOSED”", "a red poster that says “CLOSED”"),
        (POSTER, "replace “OPEN” with “Shut”", "a red poster that says “Shut” and “9–5”"),
        (POSTER, "make the letters yellow", POSTER + " in yellow letters"),
        (WOMAN, "make the hair red", WOMAN.replace("brown hair", "red hair")),
        (WOMAN, "make the jumper black", WOMAN.replace("green jumper", "black jumper")),
        (WOMAN, "make the scarf orange", WOMAN.replace("blue scarf", "orange scarf")),
        (WOMAN, "remove the glasses", WOMAN.replace("glasses, ", "")),
        (WOMAN, "give her a red hat", WOMAN.replace("a blue scarf", "a red hat, a blue scarf")),
        (WOMAN, "make her smile", WOMAN.replace("a woman", "a smiling woman")),
    ],
)
def test_an_edit_gives_the_scene_one_would_describe(source: str, instruction: str, target: str) -> None:
    assert edited(source, instruction) == parse(target)


def test_adding_and_removing_leave_the_others_where_they_are() -> None:
    before = parse(STILL)
    more = edited(STILL, "add three small yellow stars at the top left")
    assert more.items[:2] == before.items
    assert (more.items[2].place, more.items[2].count) == ("top left", 3)
    assert edited(STILL, "add a red ball").items[2].place == "centre"
    assert edited(STILL, "remove the vase").items == before.items[1:]


@pytest.mark.parametrize(
    ("instruction", "word"),
    [
        ("make the mug invisible", "invisible"),
        ("frobnicate the mug", "frobnicate"),
        ("remove the piano", "piano"),
    ],
)
def test_an_instruction_outside_the_language_is_refused_by_name(instruction: str, word: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse_edit(instruction)
    assert word in caught.value.words


@pytest.mark.parametrize(
    ("source", "instruction", "says"),
    [
        (STILL, "remove the lamp", "no lamp"),
        (STILL, "make her smile", "no person"),
        (STILL, "change the sign to say “X”", "no sign"),
        (POSTER, "replace “SHUT” with “X”", "SHUT"),
        (WOMAN, "replace the jumper with a clock", "no jumper"),
    ],
)
def test_an_edit_of_what_is_not_there_says_what_is(source: str, instruction: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        edited(source, instruction)
    assert caught.value.hint


def test_edits_are_values() -> None:
    one: Any = parse_edit("make the mug green, keep everything else")
    assert one == parse_edit("paint the mug green")
