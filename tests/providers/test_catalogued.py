"""A case is put to a model's row of the table, or it is said why that cannot be; nothing is sent for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.providers.base import Check, Limits, Lost, Settings
from evalkit.providers.catalogued import Catalogued, catalogued
from evalkit.providers.systems import make_provider, parse_system, providers
from evalkit.remote.catalog import specs
from evalkit.remote.spec import Auth, Call, Model, Out, Pixels, Spec, Submit, Tariff
from evalkit.types import Case, ImageInput, Job, Mask, Quote, Rejected, Request, Shape, System

PENNY = Tariff(image=Decimal("0.01"))
SPEC = Spec(
    "acme",
    "paints",
    "https://api.acme.example",
    {"t2i": Submit("/paint", {"prompt": "$prompt"}), "edit": Submit("/edit", {"prompt": "$prompt"})},
    (
        Model(
            "big/paint",
            "t2i",
            family="big",
            note="the large one",
            max_n=4,
            ratios=("1:1", "4:3", "16:9"),
            formats=("jpeg", "png"),
            seed=True,
            prompt_chars=(3, 20),
            params={"quality": ("low", "high"), "steps": ()},
            tariff=PENNY,
        ),
        Model("big/edit", "edit", family="big", images=(1, 1), mask=True, tariff=PENNY),
        Model("old", "t2i", gone="2026-01-01", tariff=PENNY),
        Model("ageing", "t2i", gone="2999-01-01", tariff=PENNY),
        Model("sized", "t2i", pixels=Pixels(512, 2048, 1_048_576, 16)),
        Model("*", "t2i", formats=(), params={"*": ()}, tariff=PENNY),
    ),
    Out(images=("images[*]",)),
    env=("ACME_KEY", "ACME_ID:ACME_SECRET"),
    mode="sync",
    concurrency=(3, 9),
    check=Call("GET", "{base}/me"),
    check_ok=(200,),
    deadline=77.0,
)
OWN = replace(
    SPEC,
    name="own",
    base="http://127.0.0.1:8000/v1",
    base_is_model=True,
    env=(),
    auth=Auth(optional=True),
    models=(Model("*", "t2i", seed=True, params={"*": ()}, tariff=Tariff(free=True)),),
)
CASE = Case("mug", "a mug")
PICTURE = ImageInput(b"x", "0" * 64, 8, 8)


def make(
    model: str = "big", params: Mapping[str, str] = {}, spec: Spec = SPEC, **settings: Any
) -> Catalogued:
    return catalogued(spec)(System(spec.name, model, params), Settings(**settings))


def request(provider: Catalogued, case: Case = CASE, replicate: int = 0) -> Request:
    """As a plan makes it."""
    ask = provider.ask(case)
    source = PICTURE if case.source else None
    return Request(
        "t", "s", case.id, replicate, case.task, case.prompt, ask.aspect_ratio, ask.model, ask.params,
        source, PICTURE if case.mask and ask.mask else None, ask.notes,
    )  # fmt: skip


def edit(**more: Any) -> Case:
    return Case("mug", "a mug", "edit", source="mug.png", **more)


def test_what_the_class_says_of_itself() -> None:
    cls = catalogued(SPEC)
    assert (cls.name, cls.summary) == ("acme", "paints")
    assert cls.models()["big/paint"] == "t2i (the large one)"
    assert cls.models()["big"] == "t2i: big/paint; edit: big/edit"
    assert cls.models()["ageing"] == "t2i, until 2999-01-01"
    assert "*" not in cls.models()
    assert make().limits == Limits(3, 9)
    assert make().lane == "acme"
    assert not cls.replayable


def test_a_family_is_the_model_of_the_task() -> None:
    assert make().ask(CASE).model == "big/paint"
    assert make().ask(edit()).model == "big/edit"
    assert make("whatever").ask(CASE).model == "whatever"
    with pytest.raises(UsageError):
        make("big/paint").ask(edit())
    with pytest.raises(UnknownName, match="model of acme"):
        make("whatever").ask(edit())


def test_parameters_are_those_that_will_be_sent() -> None:
    assert make().ask(CASE).params == {"output_format": "png"}
    asked = make(params={"steps": "30", "quality": "low", "n": "1", "seed": "007"}).ask(CASE)
    assert list(asked.params.items()) == [
        ("output_format", "png"),
        ("quality", "low"),
        ("seed", "7"),
        ("steps", "30"),
    ]
    assert make(params={"n": "02"}).ask(CASE).params["n"] == "2"
    assert make("whatever", {"anything": "x"}).ask(CASE).params == {"anything": "x"}
    assert make("sized").ask(CASE).params == {}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"n": "5"}, "at most 4"),
        ({"n": "0"}, "number of pictures"),
        ({"n": "²"}, "number of pictures"),
        ({"seed": "-1"}, "not a seed"),
        ({"quality": "best"}, "quality=best"),
        ({"output_format": "webp"}, "output_format=webp"),
    ],
)
def test_values_that_the_model_does_not_take(params: Mapping[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make(params=params).ask(CASE)
    eased = make(params=params, allow_degrade=True).ask(CASE)
    assert eased.params == {"output_format": "png"}
    assert says in eased.notes[0]


def test_more_pictures_of_a_case_are_replicates() -> None:
    with pytest.raises(UsageError) as caught:
        make(params={"n": "5"}).ask(CASE)
    assert "--replicates" in caught.value.hint


def test_a_parameter_nobody_knows_is_never_let_through() -> None:
    for allow in (False, True):
        with pytest.raises(UnknownName) as caught:
            make(params={"qualty": "low"}, allow_degrade=allow).ask(CASE)
        assert "Did you mean quality?" in caught.value.hint
    with pytest.raises(UsageError, match="takes no seed"):
        make("sized", {"seed": "1"}).ask(CASE)


@pytest.mark.parametrize(
    ("model", "case", "says"),
    [
        ("big", replace(CASE, prompt="ab"), "2 characters"),
        ("big", replace(CASE, prompt="a" * 21), "3 to 20"),
        ("big", replace(CASE, aspect_ratio="9:16"), "cannot make 9:16"),
        ("big", replace(edit(), source=None), "no source picture"),
        ("big/paint", replace(CASE, source="mug.png"), "takes no source"),
        ("old", CASE, "shut down on 2026-01-01"),
    ],
)
def test_cases_that_the_model_cannot_do(model: str, case: Case, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make(model).ask(case)


def test_a_shape_is_replaced_only_if_that_is_allowed() -> None:
    provider = make(allow_degrade=True)
    asked = provider.ask(replace(CASE, aspect_ratio="3:2"))
    assert asked.aspect_ratio == "4:3"
    assert asked.notes == ("aspect ratio 3:2 -> 4:3",)
    assert provider.order(request(provider, replace(CASE, aspect_ratio="3:2"))).aspect_ratio == "4:3"


def test_masks_travel_only_to_models_that_take_them() -> None:
    mask = Mask((Shape("rect", (0, 0, 1, 1)),))
    masked = make().ask(edit(mask=mask))
    assert masked.mask
    assert not make("sized").ask(CASE).mask
    assert make().order(request(make(), edit(mask=mask))).mask == PICTURE


def test_the_order_is_what_was_asked() -> None:
    provider = make(params={"seed": "40", "n": "3", "steps": "30", "quality": "low"})
    order = provider.order(request(provider, replicate=2))
    assert (order.model_id, order.n, order.seed, order.output_format) == ("big/paint", 3, 42, "png")
    assert order.params == {"steps": 30, "quality": "low"}
    assert (order.aspect_ratio, order.deadline) == ("1:1", 77.0)
    sized = make("sized", assume_price=Decimal(1), deadline=5.0)
    order = sized.order(request(sized, replace(CASE, aspect_ratio="16:9")))
    assert (order.width, order.height, order.deadline) == (1280, 720, 5.0)
    assert make().order(request(make(), edit())).images == (PICTURE,)


def test_every_replicate_has_its_own_seed_where_the_row_is_for_any_model() -> None:
    provider = make("whatever", {"seed": "40", "cfg": "7.5", "hd": "true", "output_format": "png"})
    order = provider.order(request(provider, replicate=2))
    assert order.params == {"seed": 42, "cfg": 7.5, "hd": True, "output_format": "png"}
    assert (order.seed, order.output_format) == (None, "")


def test_a_quote_needs_a_price() -> None:
    provider = make(params={"n": "3"})
    assert provider.quote(request(provider)) == Quote(Decimal("0.03"), Decimal("0.03"), "list")
    sized = make("sized")
    with pytest.raises(UsageError, match="costs"):
        sized.quote(request(sized))
    assert make("sized", assume_price=Decimal("0.5")).quote(request(sized)).worst == Decimal("0.5")


class Ledger:
    """Nothing may be accepted here."""

    async def accepted(self, job: Job) -> None:
        raise AssertionError(job)


def test_without_a_key_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACME_KEY", "ACME_ID", "ACME_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVALKIT_ACME_BASE", "http://127.0.0.1:9")
    provider = make()
    outcome = asyncio.run(provider.generate(request(provider), Ledger()))
    assert outcome == Rejected("auth", "acme cannot be asked: set ACME_KEY (or ACME_ID and ACME_SECRET)")
    assert asyncio.run(provider.check()) == Check(False, "set ACME_KEY (or ACME_ID and ACME_SECRET)")
    assert asyncio.run(provider.reconcile(request(provider), Lost("2026-01-01", "2026-01-02"))) is None
    assert catalogued(SPEC).missing() == "ACME_KEY (or ACME_ID and ACME_SECRET)"


def test_a_rehearsal_cannot_be_taken_for_the_real_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALKIT_ACME_BASE", raising=False)
    assert make().fingerprint("s", CASE, 0) == ""
    monkeypatch.setenv("EVALKIT_ACME_BASE", "http://127.0.0.1:9/acme")
    assert make().fingerprint("s", CASE, 0) == "loopback"
    monkeypatch.setenv("EVALKIT_ACME_BASE", "https://gateway.example/acme")
    assert make().fingerprint("s", CASE, 0) == ""


def test_a_server_of_ones_own() -> None:
    provider = make("http://10.0.0.7:8000/v1", {"model": "flux", "seed": "3"}, OWN)
    asked = provider.ask(CASE)
    assert asked.model == "http://10.0.0.7:8000/v1"
    assert asked.params == {"model": "flux", "seed": "3"}
    order = provider.order(request(provider))
    assert (order.model_id, order.params, order.seed) == ("flux", {}, 3)
    assert provider.quote(request(provider)) == Quote()
    assert provider.lane == "own:http://10.0.0.7:8000/v1"
    assert provider._account.base == "http://10.0.0.7:8000/v1"
    assert provider.fingerprint("s", CASE, 0) == ""


def test_a_server_of_ones_own_can_be_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = make("http://127.0.0.1:8000/v1", spec=OWN)
    assert here.fingerprint("s", CASE, 0) == ""
    monkeypatch.setenv("EVALKIT_OWN_BASE", "http://127.0.0.1:9/own/v1")
    moved = make("http://10.0.0.7:8000/v1", spec=OWN)
    assert moved._account.base == "http://127.0.0.1:9/own/v1"
    assert moved.fingerprint("s", CASE, 0) == "loopback"


@pytest.mark.parametrize(
    "url", ["flux", "http://", "ftp://x/y", "http://a:b@c/v1", "http://a/v1#x", "http://a:0/", "https:///v1"]
)
def test_a_server_needs_a_proper_url(url: str) -> None:
    with pytest.raises(UsageError):
        make(url, spec=OWN)


def test_nothing_of_a_provider_shows_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "SENTINEL-KEY-0123456789")
    provider = make()
    assert "SENTINEL" not in repr(vars(provider)) + repr(provider._engine.tools)


@pytest.mark.parametrize("name", sorted(specs()))
def test_every_description_becomes_a_provider(name: str) -> None:
    cls = providers()[name]
    assert cls.name == name
    assert cls.summary
    if issubclass(cls, Catalogued):
        assert cls.spec is specs()[name]


def fits(row: Model) -> Case:
    ratio = next((r for r in (*row.ratios, *row.sizes) if ":" in r), "1:1")
    return Case(
        "c", "a red mug on a wooden table", row.task, ratio, source="s.png" if row.images[1] else None
    )


@pytest.mark.parametrize("name", sorted(specs()))
def test_every_row_of_the_catalogue_can_be_asked_and_quoted(name: str) -> None:
    for row in specs()[name].models:
        model = "anything/at-all" if row.id == "*" else row.id
        if specs()[name].base_is_model:
            model = "http://127.0.0.1:8000/v1"
        provider = make_provider(System(name, model), Settings(assume_price=Decimal("0.1")))
        assert isinstance(provider, Catalogued)
        if row.gone and row.gone < "2026-12":
            continue
        made = request(provider, fits(row))
        assert provider.quote(made).worst >= provider.quote(made).expected >= 0
        asked = provider.order(made).model
        assert replace(asked, id=row.id) == row
        assert asked.id != "*"


def test_a_description_of_ones_own_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(specs.__code__.co_filename).parents[1] / "providers" / "catalog" / "local.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('name = "local"', 'name = "mine"'))
    monkeypatch.setenv("EVALKIT_PROVIDERS", str(path))
    providers.cache_clear()
    try:
        assert parse_system("mine:http://127.0.0.1:8000/v1?model=x").provider == "mine"
        path.write_text("[provider\n")
        monkeypatch.setenv("EVALKIT_PROVIDERS", str(tmp_path))
        providers.cache_clear()
        with pytest.raises(InvalidInput, match=r"mine\.toml"):
            parse_system("studio:clean")
    finally:
        providers.cache_clear()


def test_a_slip_of_the_pen_is_not_taken_for_a_model_without_a_price() -> None:
    provider = make_provider(parse_system("fal:mai-imag-2.5"))
    ask = provider.ask(Case("c", "a mug"))
    request = Request("0" * 64, "s", "c", 0, "t2i", "a mug", "1:1", ask.model, ask.params)
    with pytest.raises(UsageError) as caught:
        provider.quote(request)
    assert caught.value.hint.startswith("Did you mean fal:mai-image-2.5? ")
    assert "--assume-price" in caught.value.hint
