"""Descriptions of providers: reading them, finding them, and what is wrong with them."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.remote.catalog import find_model, read_spec, specs
from evalkit.remote.spec import Auth, Call, Pixels, Rule, Submit

GOOD = """
[provider]
name = "lab"
summary = "a laboratory"
base = "https://api.example"
env = ["LAB_KEY", "LAB_ID:LAB_SECRET"]
id = "request_id"
poll = ["{status_url}", "{base}/jobs/{id}"]
state = "status"
poll_interval = [1, 2.5]
cancel = { method = "PUT", url = "{cancel_url}" }
rejects = [400, 401]

[provider.auth]
header = "X-Key"
value = "{key}"

[provider.save]
status_url = "status_url"
cancel_url = "urls.cancel"

[provider.states]
QUEUED = "queued"
DONE = "done"

[provider.out]
images = ["images[*].url"]
cost_unit = "0.01"

[[provider.rule]]
kind = "moderation"
status = "200|4xx"
path = "detail[*].type"
match = "^content_policy"

[submit.t2i]
path = "/{model}"
body = { prompt = "$prompt", strength = "$strength", "*" = "$params" }

[submit.edit]
path = "/{model}/edit"
multipart = true
body = { prompt = "$prompt", image = "@files" }

[[model]]
id = "painter"
task = "t2i"
family = "paint"
max_n = 4
pixels = { min_side = 256, max_side = 2048, max_area = 1048576, step = 16 }
params = { strength = [], style = ["plain", "vivid"] }
tariff = { image = "0.05", round_up_to = "0.0001" }

[[model]]
id = "painter/edit"
task = "edit"
family = "paint"
images = [1, 2]
sizes = { "1:1" = "1024x1024" }

[[model]]
id = "one"
task = "edit"
family = "twins"
images = [1, 1]

[[model]]
id = "two"
task = "edit"
family = "twins"
images = [1, 1]

[[model]]
id = "*"
task = "t2i"
"""


def write(folder: Path, text: str, name: str = "lab.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, *changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(InvalidInput) as caught:
        read_spec(write(folder, text))
    return caught.value.message


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, GOOD))
    assert spec.name == "lab"
    assert spec.env == ("LAB_KEY", "LAB_ID:LAB_SECRET")
    assert spec.poll_interval == (1.0, 2.5)
    assert spec.auth == Auth("X-Key", "{key}")
    assert spec.cancel == Call("PUT", "{cancel_url}")
    assert spec.rejects == (400, 401)
    assert spec.states == {"QUEUED": "queued", "DONE": "done"}
    assert spec.out.cost_unit == Decimal("0.01")
    assert spec.rules == (
        Rule("moderation", status="200|4xx", path="detail[*].type", match="^content_policy"),
    )
    assert spec.submit["edit"] == Submit("/{model}/edit", {"prompt": "$prompt", "image": "@files"}, True)
    painter = spec.models[0]
    assert painter.pixels == Pixels(256, 2048, 1048576, 16)
    assert painter.params == {"strength": (), "style": ("plain", "vivid")}
    assert (painter.tariff.image, painter.tariff.round_up_to) == (Decimal("0.05"), Decimal("0.0001"))
    assert spec.models[1].images == (1, 2)
    assert spec.deadline == 300.0


WRONG = [
    ('summary = "a laboratory"', "", "provider.summary: is missing"),
    ('base = "https://api.example"', 'bbase = "x"', "provider.bbase: unknown key; did you mean base?"),
    ('header = "X-Key"', 'heder = "X-Key"', "provider.auth.heder: unknown key; did you mean header?"),
    ('match = "^content_policy"', 'mtach = "x"', "provider.rule[0].mtach: unknown key; did you mean match?"),
    ('match = "^content_policy"', 'match = "("', "provider.rule[0].match: is no regular expression"),
    ('kind = "moderation"', 'kind = "moderated"', "provider.rule[0].kind: must be one of"),
    ('status = "200|4xx"', 'status = "200|4x"', "provider.rule[0].status: must be"),
    (
        'path = "detail[*].type"',
        'path = "detail[*]type"',
        "provider.rule[0].path: 'detail[*]type' is not a path",
    ),
    ('path = "detail[*].type"', "", "provider.rule[0]: needs a path or a header"),
    (
        'status = "200|4xx"\npath = "detail[*].type"',
        "",
        "provider.rule[0]: needs a path or a header, or a status",
    ),
    ('path = "detail[*].type"', 'path = "a"\nheader = "b"', "provider.rule[0]: has a path and a header"),
    (
        'path = "detail[*].type"',
        'path = "a"\nabsent = true',
        "provider.rule[0].absent: needs a path, and no match",
    ),
    ('path = "detail[*].type"', 'path = "a"\nphase = "pol"', "provider.rule[0].phase: must be of"),
    ('id = "request_id"', "", "provider.id: is missing; with mode 'async'"),
    ('poll = ["{status_url}", "{base}/jobs/{id}"]', "", "provider.poll: is missing"),
    (
        'poll = ["{status_url}", "{base}/jobs/{id}"]',
        'poll = ["{base}/{uid}"]',
        "provider.poll[0]: nothing fills {uid}",
    ),
    ('state = "status"', "", "provider.state: is missing"),
    ('DONE = "done"', "", "provider.states: no state is done"),
    (
        'DONE = "done"',
        'DONE = "finished"',
        "provider.states.DONE: must be one of queued, running, done, failed",
    ),
    ("poll_interval = [1, 2.5]", "poll_interval = [1]", "provider.poll_interval: must be a list of 2 values"),
    ("poll_interval = [1, 2.5]", "poll_interval = [3, 2]", "provider.poll_interval: must be the shortest"),
    ("poll_interval = [1, 2.5]", 'poll_interval = ["1", 2]', "provider.poll_interval[0]: must be a number"),
    ("rejects = [400, 401]", "rejects = [400, 503]", "provider.rejects: 503 does not prove"),
    ("rejects = [400, 401]", "rejects = [400, 408]", "provider.rejects: 408 does not prove"),
    ("rejects = [400, 401]", "rejects = [true]", "provider.rejects[0]: must be a whole number"),
    ('images = ["images[*].url"]', "", "provider.out.images: is missing"),
    ('images = ["images[*].url"]', 'images = ["a[b]"]', "provider.out.images[0]: 'a[b]' is not a path"),
    ('value = "{key}"', 'value = "Bearer"', "provider.auth.value: must say where the {key} goes"),
    ('base = "https://api.example"', 'base = "/v1"', "provider.base: must be a URL"),
    ('name = "lab"', 'name = "My Lab"', "provider.name: must be small letters"),
    ('name = "lab"', "name = 7", "provider.name: must be a text, and is 7"),
    ('name = "lab"', 'name = "lab"\nrules = []', "provider: unknown key rules; write [[provider.rule]]"),
    (
        'tariff = { image = "0.05"',
        "tariff = { image = 0.05",
        "model[0].tariff.image: must be an amount in quotes",
    ),
    ('tariff = { image = "0.05"', 'tariff = { image = "-1"', "model[0].tariff.image: must be an amount"),
    ('tariff = { image = "0.05"', 'tariff = { image = "NaN"', "model[0].tariff.image: must be an amount"),
    (
        'tariff = { image = "0.05"',
        'tariff = { image = "1", free = true',
        "model[0].tariff.free: has a price as well",
    ),
    ('tariff = { image = "0.05"', 'tariff = { next_mp = "1"', "model[0].tariff.next_mp: needs first_mp"),
    ('round_up_to = "0.0001"', 'round_up_to = "0"', "model[0].tariff.round_up_to: must be more"),
    ('round_up_to = "0.0001"', 'usage = { out = "a" }', "model[0].tariff.usage.out: unknown key"),
    ("max_n = 4", "max_n = 0", "model[0].max_n: must be 1 or more"),
    ("max_n = 4", "max_n = true", "model[0].max_n: must be a whole number"),
    ("max_n = 4", 'ratios = ["1:1"]', "model[0]: has several of ratios, sizes and pixels"),
    ("max_n = 4", "dated = 2026-11-20", "model[0].dated: must be a text"),
    ("max_n = 4", 'gone = "last year"', "model[0].gone: 'last year' is not a date"),
    ("max_n = 4", 'formats = ["jpg"]', "model[0].formats: 'jpg' is none of png, jpeg, webp"),
    ("max_n = 4", "prompt_chars = [9, 3]", "model[0].prompt_chars: must be"),
    ("step = 16", "step = 0", "model[0].pixels: no picture fits"),
    ("step = 16", "stepp = 16", "model[0].pixels.stepp: unknown key; did you mean step?"),
    ('"1:1" = "1024x1024"', '"1x1" = "1024x1024"', "model[1]: '1x1' is not an aspect ratio"),
    ('"1:1" = "1024x1024"', '"1:1" = "1024"', "model[1].sizes.1:1: '1024' is not a size"),
    ("images = [1, 2]", "images = [2, 1]", "model[1].images: must be the fewest and the most"),
    ("images = [1, 2]", "", "model[1].images: an edit needs a source picture"),
    ('id = "two"', 'id = "one"', "model[3].id: 'one' is there twice for edit"),
    ('task = "t2i"', 'task = "paint"', "model[0].task: must be one of t2i, edit"),
    ("[submit.t2i]", "[submit.t2v]", "submit.t2v: unknown key; did you mean t2i?"),
    ('path = "/{model}"', 'path = "{model}"', "submit.t2i.path: must begin with /"),
    ('path = "/{model}"', 'path = "/{id}"', "submit.t2i.path: nothing fills {id}"),
    ('"$strength"', '"$strenght"', "submit.t2i.body.$strenght: unknown key; did you mean $strength?"),
    ('"$strength"', '"@sizes"', "submit.t2i.body.strength.@sizes: unknown key; did you mean @size?"),
    ('"$strength"', '"@files"', "submit.t2i.body.strength: @files is a file"),
    ('"$strength"', '"$params"', '"$params" belongs to the key "*"'),
    ('"$strength"', "2026-11-20", "submit.t2i.body.strength: is nothing that JSON can hold"),
    ("[[model]]", "[[models]]", "models: unknown key; did you mean model?"),
]


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in problems(tmp_path, (old, new))


def test_every_problem_at_once(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        ('name = "lab"', "name = 7"),
        ("max_n = 4", "max_n = 0.5"),
        ('kind = "moderation"', 'knid = "x"'),
    )
    for key in (
        "provider.name:",
        "model[0].max_n:",
        "provider.rule[0].knid:",
        "provider.rule[0].kind: is missing",
    ):
        assert key in said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[provider\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"", "provider.name: is missing"),
        (b"provider = 3", "must be a table"),
    ],
)
def test_files_that_are_no_description(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=said):
        read_spec(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_spec(tmp_path / "none.toml")


def test_a_sync_provider_needs_no_jobs(tmp_path: Path) -> None:
    text = GOOD.replace('id = "request_id"', 'mode = "sync"').replace('state = "status"', "")
    assert read_spec(write(tmp_path, text)).mode == "sync"


def test_a_row_of_its_own_body_is_checked_too(tmp_path: Path) -> None:
    assert "model[0].body.$ink: unknown key" in problems(tmp_path, ("max_n = 4", 'body = { p = "$ink" }'))


def test_ours_are_there_and_read_once() -> None:
    assert {"fal", "each", "pixazo", "azure", "openai", "gemini", "bfl", "replicate", "stability"} <= set(
        specs()
    )
    assert specs() is specs()


def test_others_are_added_from_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write(tmp_path, GOOD)
    folder = tmp_path / "more"
    folder.mkdir()
    write(folder, GOOD.replace('"lab"', '"lab2"'), "b.toml")
    write(folder, "not read", "readme.md")
    monkeypatch.setenv("EVALKIT_PROVIDERS", os.pathsep.join(["", str(one), f" {folder} "]))
    assert {"lab", "lab2", "fal"} <= set(specs())
    monkeypatch.delenv("EVALKIT_PROVIDERS")
    assert "lab" not in specs()


def test_nothing_is_replaced_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_PROVIDERS", str(write(tmp_path, GOOD.replace('"lab"', '"fal"'))))
    with pytest.raises(InvalidInput, match=r"lab\.toml describes 'fal', and so does .*fal\.toml"):
        specs()


def test_a_path_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_PROVIDERS", str(tmp_path / "none"))
    with pytest.raises(InvalidInput, match="EVALKIT_PROVIDERS names"):
        specs()


def test_models_by_id_by_family_and_any(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, GOOD))
    assert find_model(spec, "painter", "t2i").id == "painter"
    assert find_model(spec, "paint", "t2i").id == "painter"
    assert find_model(spec, "paint", "edit").id == "painter/edit"
    assert find_model(spec, "two", "edit").id == "two"
    assert find_model(spec, "whatever", "t2i").id == "*"


def test_models_that_are_not_there(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, GOOD))
    with pytest.raises(UnknownName) as unknown:
        find_model(spec, "painter/edti", "edit")
    assert "painter/edit" in unknown.value.hint
    with pytest.raises(UsageError, match="does t2i, not edit") as other:
        find_model(spec, "painter", "edit")
    assert "painter/edit" in other.value.hint
    with pytest.raises(UsageError, match="does edit, not t2i"):
        find_model(spec, "two", "t2i")
    with pytest.raises(UsageError, match="several models") as twins:
        find_model(spec, "twins", "edit")
    assert "one or two" in twins.value.hint
