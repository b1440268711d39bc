"""Drawing: the same seed gives the same pixels, and each word of a prompt can be seen."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.studio import apply, draw, parse, parse_edit
from evalkit.studio.fonts import families, font_for, missing
from evalkit.studio.kinds import KINDS
from evalkit.studio.palette import OBJECT_COLOURS
from evalkit.studio.sampler import CHANGES, changed, random_scene


def pixels(prompt: str, seed: int = 5, width: int = 240, height: int = 240) -> NDArray[np.uint8]:
    return np.asarray(draw(parse(prompt), width, height, seed))


def test_a_drawing_is_its_scene_size_and_seed() -> None:
    first = pixels("a red mug and two blue books, on grass")
    assert first.shape == (240, 240, 3)
    assert (first == pixels("a red mug and two blue books, on grass")).all()
    assert (first != pixels("a red mug and two blue books, on grass", seed=6)).any()


def test_the_pixels_are_pinned_up_to_rounding() -> None:
    """A recipe that draws something else must get another name, or old answers would pass for new ones."""
    block = pixels("a close-up of a red mug, on a wooden table, against a mint wall", seed=1)
    mean = block.reshape(4, 60, 4, 60, 3).mean(axis=(1, 3))
    assert mean[0, 0] == pytest.approx([184, 228, 207], abs=4)
    assert mean[2, 1][0] > 1.7 * mean[2, 1][1]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_can_be_seen_in_its_colour(kind: str) -> None:
    empty = pixels("an empty scene on a white table")
    shown = pixels(f"a blue {kind}")
    different = np.abs(shown.astype(int) - empty).max(axis=2) > 40
    assert 0.01 < different.mean() < 0.4
    bluish = shown[different].astype(int)
    assert np.mean(bluish[:, 2] > bluish[:, 0] + 20) > 0.25


@pytest.mark.parametrize("name", sorted(OBJECT_COLOURS))
def test_balls_have_their_colour(name: str) -> None:
    image = pixels(f"a close-up of a {name} ball".replace("a orange", "an orange"))
    middle = image[120:190, 95:150].reshape(-1, 3).astype(float)
    wanted = np.array(OBJECT_COLOURS[name], float)
    distances = {
        c: np.linalg.norm(np.median(middle, 0) - np.array(v, float)) for c, v in OBJECT_COLOURS.items()
    }
    assert distances[name] <= 1.5 * min(distances.values()) + 5, (np.median(middle, 0), wanted)


def test_one_word_changes_the_picture() -> None:
    luck = random.Random(8)
    for _ in range(25):
        scene = random_scene(luck)
        for what in CHANGES:
            other = changed(scene, what, luck)
            if other is not None:
                pair = (np.asarray(draw(one, 160, 160, 3)).astype(int) for one in (scene, other))
                assert np.abs(next(pair) - next(pair)).max() > 30, (scene, other)


def test_an_edit_leaves_the_rest_of_the_drawing_alone() -> None:
    scene = parse("a green vase on the left and a red mug on the right, on a wooden table")
    after = apply(parse_edit("make the mug blue"), scene)
    before, then = (np.asarray(draw(one, 256, 256, 7)) for one in (scene, after))
    changed_columns = np.flatnonzero((before != then).any(axis=(0, 2)))
    assert changed_columns.min() > 128
    assert len(changed_columns) > 20


@pytest.mark.parametrize("light", ["in the evening", "at night"])
def test_light_darkens(light: str) -> None:
    assert pixels(f"a red mug, {light}").mean() < pixels("a red mug").mean() - 10


def test_styles_are_grey_or_paper() -> None:
    grey = pixels("a black and white photo of a red mug").astype(int)
    assert np.abs(grey[..., 0] - grey[..., 2]).max() == 0
    sketch = pixels("a pencil sketch of a red mug").astype(int)
    assert sketch.mean() > 190


def test_fonts_are_chosen_by_what_they_can_write() -> None:
    assert families()[-1] == "builtin"
    assert font_for("OPEN 24/7", 20) is not None
    assert missing("builtin", "日本") == "日本"
    with pytest.raises(InvalidInput, match="日"):
        font_for("日", 20)


def test_diacritics_and_currency_are_drawn_here() -> None:
    """Streamlit is a dependency, so its fonts are there on every complete installation."""
    assert not missing(families()[0], "Crème brûlée €4.50 Łódź Åsa Zoë ñ ß – ×")


def test_a_picture_costs_little() -> None:
    scenes = [random_scene(random.Random(n)) for n in range(6)]
    draw(scenes[0], 768, 768, 0)
    started = time.process_time()
    for seed, scene in enumerate(scenes):
        draw(scene, 768, 768, seed)
    assert (time.process_time() - started) / len(scenes) < 0.2
