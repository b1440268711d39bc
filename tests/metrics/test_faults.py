"""Provider faults: known ones are named, clean edits raise no alarm."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evalkit.images import Header
from evalkit.metrics.asked import asked_aspect, asked_format, asked_size
from evalkit.metrics.faults import FAULTS, Faults, fault_of
from evalkit.studio import distort

EDITS = Path(__file__).resolve().parents[2] / "benchmarks" / "edits.py"


@pytest.fixture(scope="module")
def edits():
    """The benchmark's edits of photographs."""
    spec = importlib.util.spec_from_file_location("edits", EDITS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["edits"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["edits"]


KINDS = ["mask_ignored", "noop", "repainted", "tone_cast", "resized", "cropped", "reencoded", "blank"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_injected_fault_is_named(edits, make_subject, kind: str):
    luck = np.random.default_rng(40 + KINDS.index(kind))
    for name in ("astronaut", "coffee", "chelsea", "camera"):
        edit = edits.clean_edit(luck, name=name)
        image = edits.FAULTS[kind](luck, edit)
        found = fault_of(make_subject(image, edit.source, edit.mask, task="edit"))
        assert found is not None
        assert (found.kind, edit.name) == (kind, edit.name)
        assert found.evidence


def test_clean_edits_raise_no_alarm(edits, make_subject):
    for edit, image in edits.clean_variants(77, 12):
        assert fault_of(make_subject(image, edit.source, edit.mask, task="edit")) is None


def test_a_softened_a_displaced_and_a_padded_edit(make_subject, photo, centre_mask):
    edited = np.where(centre_mask[..., None], 255 - photo, photo)
    for kind, image in (
        ("softened", distort.blurred(edited, 2)),
        ("displaced", distort.moved(edited, 4, -3)),
        ("padded", distort.padded(edited, 0, 40)),
    ):
        found = fault_of(make_subject(image, photo, centre_mask, task="edit"))
        assert found is not None
        assert found.kind == kind


def test_every_picture_has_one_class_and_its_evidence(make_subject, photo, centre_mask):
    clean = np.where(centre_mask[..., None], 255 - photo, photo)
    good, bad = Faults().score([make_subject(image, photo, centre_mask) for image in (clean, photo)])
    assert good["fault"].value == 0
    assert {good[f"fault_{kind}"].value for kind in FAULTS} == {0}
    assert bad["fault"].value == 1
    assert bad["fault"].detail.startswith("noop: ")
    assert [kind for kind in FAULTS if bad[f"fault_{kind}"].value] == ["noop"]
    assert bad["fault_noop"].detail in bad["fault"].detail


def test_an_instruction_for_the_whole_picture_may_change_it(make_subject, photo):
    toned = distort.toned(photo, (1.1, 1.0, 0.9), (8.0, 0.0, -8.0))
    plain = make_subject(toned, photo, task="edit")
    restyled = make_subject(toned, photo, task="edit", edit_type="light")
    assert fault_of(plain).kind == "tone_cast"
    assert fault_of(restyled) is None


def test_what_was_asked_for_is_compared_with_what_came(make_subject, photo):
    subject = make_subject(photo)
    header = Header(256, 192, "jpeg")
    for asked, kind in (
        ({"aspect_ratio": "4:3"}, None),
        ({"aspect_ratio": "1:1"}, "wrong_size"),
        ({"size": "256x192"}, None),
        ({"size": "1024x1024"}, "wrong_size"),
        ({"output_format": "png"}, "wrong_format"),
        ({"output_format": "jpg"}, None),
        ({}, None),
    ):
        found = fault_of(replace(subject, asked=asked, header=header))
        assert (found.kind if found else None) == kind, asked


def test_a_picture_without_a_source_is_judged_by_what_needs_none(make_subject, photo):
    (values,) = Faults().score([make_subject(np.zeros_like(photo))])
    assert values["fault_blank"].value == 1
    assert values["fault_noop"].reason == "no_source"


def test_words_for_sizes_and_formats():
    assert asked_size({"image_size": "1536 x 1024"}) == (1536, 1024)
    assert asked_size({"width": "640", "height": "480"}) == (640, 480)
    assert asked_size({"size": "2K"}) is None
    assert asked_aspect({"aspect_ratio": "16:9"}) == (16, 9)
    assert asked_aspect({"aspect_ratio": "auto"}) is None
    assert asked_format({"response_mime_type": "image/JPEG"}) == "jpeg"
    assert asked_format({"format": "tiff"}) is None
