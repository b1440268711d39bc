"""Body templates."""

import base64
import io

import pytest
from PIL import Image

from evalkit.remote.body import data_uri, fill, media_type
from evalkit.remote.spec import Model, Order, Submit
from evalkit.types import ImageInput


def picture(colour: int = 0, kind: str = "PNG") -> ImageInput:
    held = io.BytesIO()
    Image.new("L", (4, 2), colour).save(held, kind)
    return ImageInput(held.getvalue(), "0" * 64, 4, 2)


def order(**changes: object) -> Order:
    task = changes.pop("task", "t2i")
    plain = {
        "trial": "t1",
        "model": Model("m", "t2i"),
        "model_id": "maker/m",
        "task": task,
        "prompt": "a hen",
    }
    return Order(**{**plain, **changes})


def filled(template: dict[str, object], asked: Order, *urls: str, **more: str) -> object:
    return fill(Submit("/x", template), asked, urls, **more).json


def test_fields_keep_their_types_and_absent_ones_go() -> None:
    template = {
        "model": "$model",
        "prompt": "$prompt",
        "n": "$n",
        "w": "$width",
        "seed": "$seed",
        "ratio": "$aspect_ratio",
        "hook": "$webhook",
        "size": "@size",
        "fixed": "",
        "version": "0.0.1",
        "sync": False,
    }
    asked = order(n=2, seed=0)
    assert filled(template, asked) == {
        "model": "maker/m",
        "prompt": "a hen",
        "n": 2,
        "seed": 0,
        "fixed": "",
        "version": "0.0.1",
        "sync": False,
    }
    full = filled(template, order(width=64, height=32, aspect_ratio="2:1"), webhook="https://h.example/x")
    assert (full["w"], full["size"], full["ratio"], full["hook"]) == (
        64,
        "64x32",
        "2:1",
        "https://h.example/x",
    )


def test_a_table_that_held_nothing_else_goes_too() -> None:
    template = {"config": {"image": {"ratio": "$aspect_ratio"}, "kinds": ["IMAGE"]}, "x": {"y": "$seed"}}
    assert filled(template, order()) == {"config": {"kinds": ["IMAGE"]}}


def test_the_prompt_is_never_read_as_a_template() -> None:
    for prompt in ("$model", "@files", "$$x", "*", '{"a": 1}'):
        assert filled({"p": "$prompt"}, order(prompt=prompt)) == {"p": prompt}


def test_dollars_in_texts_of_a_template() -> None:
    assert filled({"a": "$$model", "b": "costs $5", "c": "$prompt!"}, order()) == {
        "a": "$model",
        "b": "costs $5",
        "c": "$prompt!",
    }


def test_pictures_by_url_and_as_base64() -> None:
    one, two = picture(1), picture(2)
    asked = order(task="edit", images=(one, two), mask=picture(255))
    template = {
        "all": "$images",
        "one": "$image",
        "first": "$images[0]",
        "third": "$images[2]",
        "raw": "$images_base64",
        "mask": "$mask",
        "mask_raw": "$mask_base64",
    }
    body = filled(template, asked, "u1", "u2", mask_url="m")
    raw = [base64.b64encode(each.data).decode() for each in (one, two)]
    assert body["all"] == ["u1", "u2"]
    assert (body["one"], body["first"], body["mask"]) == ("u1", "u1", "m")
    assert body["raw"] == raw
    assert base64.b64decode(body["mask_raw"]) == asked.mask.data
    assert "third" not in body


def test_left_over_parameters_go_where_the_star_is() -> None:
    template = {"prompt": "$prompt", "input": {"strength": "$strength", "*": "$params"}, "x": "$quality"}
    params = {"strength": 0.5, "quality": "high", "steps": 20, "hot": False, "none": None}
    assert filled(template, order(params=params)) == {
        "prompt": "a hen",
        "input": {"strength": 0.5, "steps": 20, "hot": False},
        "x": "high",
    }
    assert filled(template, order()) == {"prompt": "a hen"}


def test_what_evalkit_asks_for_wins_over_a_parameter_of_that_name() -> None:
    assert filled({"n": "$n"}, order(n=3, params={"n": 9})) == {"n": 3}
    assert filled({"a": "$negative_prompt"}, order(params={"negative_prompt": "rain"})) == {"a": "rain"}


def test_gemini_parts_are_the_text_and_then_the_pictures() -> None:
    source = picture(3, "JPEG")
    template = {"contents": [{"role": "user", "parts": "@gemini_parts"}]}
    parts = filled(template, order(task="edit", images=(source,)))["contents"][0]["parts"]
    assert parts[0] == {"text": "a hen"}
    assert parts[1]["inlineData"]["mimeType"] == "image/jpeg"
    assert base64.b64decode(parts[1]["inlineData"]["data"]) == source.data


def test_a_form_has_texts_and_files() -> None:
    body = {
        "prompt": "$prompt",
        "n": "$n",
        "flag": True,
        "seed": "$seed",
        "image[]": "@files",
        "mask": "@mask_file",
        "codes": "$codes",
        "*": "$params",
    }
    asked = order(
        task="edit",
        images=(picture(1), picture(2, "JPEG")),
        mask=picture(9),
        params={"codes": ["a", "b"], "w": 0.5},
    )
    form = fill(Submit("/x", body, multipart=True), asked, ())
    assert form.json is None
    assert form.fields == (
        ("prompt", "a hen"),
        ("n", "1"),
        ("flag", "true"),
        ("codes", "a"),
        ("codes", "b"),
        ("w", "0.5"),
    )
    assert [(name, file[0], file[2]) for name, file in form.files] == [
        ("image[]", "source-1.png", "image/png"),
        ("image[]", "source-2.jpeg", "image/jpeg"),
        ("mask", "mask.png", "image/png"),
    ]
    assert form.files[2][1][1] == asked.mask.data


def test_a_mask_as_transparency_is_clear_where_the_picture_may_change() -> None:
    mask = Image.new("L", (2, 1))
    mask.putpixel((1, 0), 255)
    held = io.BytesIO()
    mask.save(held, "PNG")
    asked = order(task="edit", mask=ImageInput(held.getvalue(), "0" * 64, 2, 1))
    form = fill(Submit("/x", {"mask": "@mask_alpha_file"}, multipart=True), asked, ())
    with Image.open(io.BytesIO(form.files[0][1][1])) as sent:
        assert sent.mode == "RGBA"
        assert [sent.getpixel((x, 0))[3] for x in (0, 1)] == [255, 0]
    assert fill(Submit("/x", {"mask": "@mask_alpha_file"}, multipart=True), order(), ()).files == ()


def test_a_file_in_json_is_said() -> None:
    with pytest.raises(ValueError, match="@files"):
        filled({"image": "@files"}, order())


def test_data_uris_name_what_the_bytes_are() -> None:
    assert data_uri(picture(0, "WEBP")).startswith("data:image/webp;base64,UklGR")
    assert media_type(b"GIF89a") == "image/gif"
    assert media_type(b"") == "application/octet-stream"
