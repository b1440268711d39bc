"""The drawing provider: each variant's fault is there, and only where it should be."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evalkit.errors import UnknownName, UsageError
from evalkit.ids import sha256
from evalkit.images import decode
from evalkit.providers.studio import VARIANTS, WORKSHOP, Studio, dimensions
from evalkit.studio import read_scene, studio_source
from evalkit.types import (
    ASPECT_RATIOS,
    Case,
    Delivered,
    Failed,
    ImageInput,
    Job,
    Outcome,
    Quote,
    Refused,
    Request,
    System,
)

SOURCE = studio_source("a green vase on the left and a red mug on the right, on a wooden table")
POSTER = "a red poster that says “GRAND OPENING”, two blue mugs on the left"
EDIT = "make the mug blue, keep everything else"


class NoLedger:
    """Nothing costs money here, so nothing may be told."""

    async def accepted(self, job: Job) -> None:
        raise AssertionError(job)


@dataclass
class Room:
    """All the variants, one event loop and one workshop for the whole module."""

    loop: asyncio.AbstractEventLoop
    providers: dict[str, Studio] = field(default_factory=dict)

    def ask(self, variant: str, request: Request) -> Outcome:
        provider = self.providers.setdefault(variant, Studio(System("studio", variant, {"size": "512"})))
        return self.loop.run_until_complete(provider.generate(request, NoLedger()))

    def picture(self, variant: str, request: Request) -> bytes:
        outcome = self.ask(variant, request)
        assert isinstance(outcome, Delivered), outcome
        return outcome.pictures[0].data

    def pixels(self, variant: str, request: Request) -> NDArray[np.uint8]:
        return decode(self.picture(variant, request))


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    loop = asyncio.new_event_loop()
    room = Room(loop)
    yield room
    for provider in room.providers.values():
        loop.run_until_complete(provider.aclose())
    assert WORKSHOP._pool is None
    loop.close()


def as_input(data: bytes) -> ImageInput:
    with Image.open(io.BytesIO(data)) as image:
        return ImageInput(data, sha256(data), *image.size)


def mask_png(box: tuple[float, float, float, float], side: int = 768) -> bytes:
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).rectangle(tuple(v * side for v in box), fill=255)
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def t2i(prompt: str = POSTER, case: str = "c", aspect_ratio: str = "1:1", replicate: int = 0) -> Request:
    return Request("t", "s", case, replicate, "t2i", prompt, aspect_ratio, "any", {})


def edit(prompt: str = EDIT, source: bytes | None = SOURCE, mask: bytes | None = None) -> Request:
    sent = None if source is None else as_input(source)
    return Request("t", "s", "c", 0, "edit", prompt, "1:1", "any", {}, sent, as_input(mask) if mask else None)


def test_pictures_have_the_shape_that_is_asked_for(room: Room) -> None:
    for ratio in ASPECT_RATIOS:
        with Image.open(io.BytesIO(room.picture("clean", t2i(aspect_ratio=ratio)))) as image:
            assert image.size == dimensions(ratio, 512)
    assert dimensions("9:16", 1024) == (576, 1024)


def test_the_same_question_has_the_same_answer_and_replicates_differ(room: Room) -> None:
    assert room.picture("clean", t2i()) == room.picture("clean", t2i())
    assert room.picture("clean", t2i()) != room.picture("clean", t2i(replicate=1))


def test_typos_and_wrong_colours_are_in_the_scene(room: Room) -> None:
    right = read_scene(room.picture("clean", t2i())).scene
    misspelt = read_scene(room.picture("typos", t2i())).scene
    assert right.items[0].lines == ("GRAND OPENING",)
    assert misspelt.items[0].lines != ("GRAND OPENING",)
    assert misspelt.items[1] == right.items[1]
    recoloured = read_scene(room.picture("wrong-colour", t2i())).scene
    assert recoloured.items[0] == right.items[0]
    assert recoloured.items[1].colour != "blue"


def test_soft_pictures_have_less_detail(room: Room) -> None:
    def detail(variant: str) -> float:
        return float(np.abs(np.diff(room.pixels(variant, t2i()).astype(int), axis=1)).mean())

    assert detail("soft") < 0.5 * detail("clean")


def test_a_clean_edit_changes_its_object_and_not_one_pixel_elsewhere(room: Room) -> None:
    source = decode(SOURCE)
    for mask in (None, mask_png((0.6, 0.5, 0.95, 0.95))):
        result = room.pixels("clean", edit(mask=mask))
        different = (result != source).any(axis=2)
        rows, columns = np.nonzero(different)
        assert different.mean() > 0.02
        assert columns.min() > 0.55 * 768
        assert rows.min() > 0.45 * 768


def test_the_mask_bounds_the_edit(room: Room) -> None:
    half = mask_png((0.6, 0.0, 0.78, 1.0))
    different = (room.pixels("clean", edit(mask=half)) != decode(SOURCE)).any(axis=2)
    columns = np.flatnonzero(different.any(axis=0))
    assert columns.max() <= 0.78 * 768 + 1


def test_faulty_edits_fail_each_in_their_own_way(room: Room) -> None:
    source = decode(SOURCE).astype(int)
    request = edit(mask=mask_png((0.6, 0.5, 0.95, 0.95)))
    clean = room.pixels("clean", request).astype(int)
    assert room.picture("noop", request) == SOURCE
    outside = np.s_[:, :400]
    repainted = room.pixels("repaint", request).astype(int)
    assert np.abs(repainted[outside] - source[outside]).mean() > 3
    shifted = room.pixels("shifted", request).astype(int)
    assert (shifted[5:, 7:] == clean[:-5, :-7]).all()
    wrong = read_scene(room.picture("wrong-colour", request)).scene
    assert wrong.items[0].colour == "green"
    assert wrong.items[1].colour not in ("red", "blue")


def test_an_edited_picture_can_be_edited_again(room: Room) -> None:
    once = room.picture("clean", edit())
    twice = room.picture("clean", edit("remove the vase", source=once))
    assert [item.colour for item in read_scene(twice).scene.items] == ["blue"]


@pytest.mark.parametrize(("variant", "outcome"), [("refuser", Refused), ("flaky", Failed)])
def test_a_fifth_of_the_cases_is_declined_the_same_way_each_time(
    room: Room, variant: str, outcome: type
) -> None:
    provider = Studio(System("studio", variant))
    fates = [provider._declined(t2i(case=f"case-{n}")) for n in range(400)]
    declined = [fate for fate in fates if fate is not None]
    assert 50 <= len(declined) <= 110
    assert {type(fate) for fate in declined} == {outcome}
    assert fates == [provider._declined(t2i(case=f"case-{n}", replicate=3)) for n in range(400)]
    first = next(n for n, fate in enumerate(fates) if fate is not None)
    assert isinstance(room.ask(variant, t2i(case=f"case-{first}")), outcome)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (t2i("a red zebra"), "zebra"),
        (edit("remove the lamp"), "no lamp"),
        (edit("make the mug invisible"), "invisible"),
        (edit(source=None), "source"),
        (edit(source=mask_png((0, 0, 1, 1), 64)), "not drawn by the studio"),
        (t2i("a red sign that says “日本”"), "日"),
    ],
)
def test_what_the_studio_cannot_do_it_says(room: Room, request_: Request, says: str) -> None:
    outcome = room.ask("clean", request_)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "unsupported"
    assert says in outcome.message


def test_names_and_sizes_are_checked_at_once() -> None:
    with pytest.raises(UnknownName, match="studio variant") as caught:
        Studio(System("studio", "claen"))
    assert "clean" in caught.value.hint
    for size in ("511", "1025", "big", "-600", "²"):
        with pytest.raises(UsageError, match="size"):
            Studio(System("studio", "clean", {"size": size}))
    with pytest.raises(UnknownName):
        Studio(System("studio", "clean", {"sise": "600"}))


def test_it_costs_nothing_and_can_be_asked_again() -> None:
    provider = Studio(System("studio", "clean"))
    assert provider.replayable
    assert provider.quote(t2i()) == Quote()
    assert set(provider.models()) == set(VARIANTS)
    assert provider.fingerprint("s", Case("c", "p"), 0).startswith("studio-1/")


def test_a_killed_worker_is_replaced(room: Room) -> None:
    room.picture("clean", t2i())
    assert WORKSHOP._pool is not None
    for process in list(WORKSHOP._pool._processes.values()):
        process.kill()
    assert room.picture("clean", t2i("a green pear"))
