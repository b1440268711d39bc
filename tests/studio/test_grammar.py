"""Reading prompts: what is understood, what is named when it is not, and describe as the inverse."""

from __future__ import annotations

import random

import pytest

from evalkit.studio import NotUnderstood, Person, Scene, Sign, Thing, describe, parse
from evalkit.studio.sampler import random_scene
from evalkit.studio.scene import from_json, to_json


def test_things_have_counts_colours_sizes_and_places() -> None:
    scene = parse(
        "three small green apples on the left and a large yellow lamp on the right, on a wooden table"
    )
    assert scene.items == (
        Thing("apple", "green", 3, "small", "left"),
        Thing("lamp", "yellow", 1, "large", "right"),
    )
    assert scene.surface == "wood"


@pytest.mark.parametrize(
    ("prompt", "places"),
    [
        ("a red mug", ["centre"]),
        ("a red mug and a blue bottle", ["left", "right"]),
        ("a red mug, a blue bottle and a green vase", ["left", "centre", "right"]),
        ("a red mug to the right of a blue bottle", ["right", "left"]),
        ("a clock above two red chairs", ["top", "centre"]),
        ("five orange balls in a row", ["row"]),
        ("a white poster that says “A”, a red mug on the left", ["top", "left"]),
    ],
)
def test_places_are_said_or_shared_out(prompt: str, places: list[str]) -> None:
    assert [item.place for item in parse(prompt).items] == places


def test_a_thing_without_a_colour_has_its_usual_one() -> None:
    assert parse("an apple").items[0] == Thing("apple", "red")


def test_people() -> None:
    scene = parse("A portrait of a smiling woman with dark skin, long red hair, glasses and a green jumper")
    expected = Person(
        "woman",
        skin="dark",
        hair="long",
        hair_colour="red",
        garment_colour="green",
        glasses=True,
        mood="smiling",
    )
    assert scene.items == (expected,)
    assert (scene.framing, scene.surface) == ("close", "none")


def test_signs_keep_their_lines_as_they_are_written() -> None:
    scene = parse('a red poster that says “Grand OPENING”, "7–9 June" and “Émile & Co.” in yellow letters')
    assert scene.items == (Sign("poster", "red", "yellow", ("Grand OPENING", "7–9 June", "Émile & Co.")),)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a red zebra and a blue bottle", ("zebra",)),
        ("a shiny mug on a velvet cloth", ("shiny", "velvet", "cloth")),
        ("a mug red", ("red",)),
        ("on a wooden table", ("table",)),
        ("", ("",)),
    ],
)
def test_what_is_not_understood_is_named(prompt: str, words: tuple[str, ...]) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(prompt)
    assert caught.value.words == words
    assert caught.value.hint


def test_every_wording_of_a_scene_is_read_back_as_that_scene() -> None:
    luck = random.Random(3)
    for number in range(400):
        scene = random_scene(luck, held_out=number % 2 == 0)
        for text in (describe(scene), describe(scene, luck.choice)):
            assert parse(text) == scene, text


def test_scenes_survive_json() -> None:
    luck = random.Random(4)
    for _ in range(50):
        scene = random_scene(luck)
        assert from_json(to_json(scene)) == scene


def test_an_empty_scene_can_be_said() -> None:
    scene = Scene(items=(), surface="marble", wall="mint")
    assert parse(describe(scene)) == scene
