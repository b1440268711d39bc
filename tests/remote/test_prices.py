"""Money: quotes, and what a request has cost."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.remote.prices import Usage, amount, charge, quote
from evalkit.remote.spec import Model, Order, Out, Spec, Tariff
from evalkit.types import ImageInput, Price, Quote

D = Decimal
TENTH_CENT = D("0.0001")
LIST = Tariff(image=D("0.05"), text_in=D(5), image_in=D(8), round_up_to=TENTH_CENT)
COUNTS = {"text_in": "text", "image_in": "image", "image_out": "out"}
TOKENS = Tariff(text_in=D(5), image_in=D(8), image_out=D(47), round_up_to=TENTH_CENT, usage=COUNTS)
PRO = Tariff(first_mp=D("0.03"), next_mp=D("0.015"))
SOURCE = ImageInput(b"", "0" * 64, 1024, 1024)


def spec(**out: object) -> Spec:
    return Spec("x", "", "https://x.example", {}, (), Out(**out))


def order(tariff: Tariff, **changes: object) -> Order:
    plain = {"trial": "t", "model": Model("m", "t2i", tariff=tariff), "model_id": "m", "task": "t2i"}
    return Order(**{"prompt": "x" * 200, **plain, **changes})


def expected(tariff: Tariff, **changes: object) -> Decimal:
    asked = order(tariff, **changes)
    return quote(asked.model, asked).expected


@pytest.mark.parametrize(
    ("n", "sources", "by_list", "by_tokens"),
    [
        (1, 0, "0.0503", "0.0484"),
        (4, 0, "0.2003", "0.1928"),
        (1, 1, "0.0585", "0.0566"),
        (2, 1, "0.1085", "0.1047"),
    ],
)
def test_what_mai_image_costs(n: int, sources: int, by_list: str, by_tokens: str) -> None:
    """fal's list price and Azure's token price of 2026, for a prompt of 50 tokens and 1024 per source."""
    pictures = (SOURCE,) * sources
    assert expected(LIST, n=n, images=pictures) == D(by_list)
    assert expected(TOKENS, n=n, images=pictures) == D(by_tokens)
    usage = {"text": 50, "image": 1024 * sources, "out": 1024 * n}
    paid = charge(spec(), order(TOKENS, n=n, images=pictures), Usage(n, usage=usage))
    assert paid == Price(D(by_tokens), "tokens")
    assert charge(spec(), order(LIST, n=n, images=pictures), Usage(n)) == Price(D(by_list), "list")


def test_the_total_is_rounded_up_and_not_its_parts() -> None:
    tariff = Tariff(image=D("0.00003"), round_up_to=TENTH_CENT)
    assert expected(tariff, n=3) == TENTH_CENT
    assert expected(tariff, n=4) == 2 * TENTH_CENT
    assert expected(Tariff(image=D("0.0000001"))) == D("0.000001")


@pytest.mark.parametrize(
    ("width", "height", "usd"),
    [
        (1024, 1024, "0.03"),
        (512, 512, "0.03"),
        (1040, 1024, "0.045"),
        (2048, 2048, "0.075"),
        (None, None, "0.03"),
    ],
)
def test_prices_by_begun_megapixel(width: int | None, height: int | None, usd: str) -> None:
    assert expected(PRO, width=width, height=height) == D(usd)


def test_source_pictures_are_megapixels_too() -> None:
    assert expected(PRO, width=1024, height=1024, images=(SOURCE,)) == D("0.045")
    large = replace(SOURCE, width=2048, height=2048)
    assert expected(PRO, images=(large,)) == D("0.03") + 7 * D("0.015")


def test_the_worst_case_counts_bytes_and_the_most_tokens() -> None:
    tariff = replace(TOKENS, image_tokens=1000, image_tokens_max=4000)
    asked = order(tariff, prompt="鶏" * 8)
    seen = quote(asked.model, asked)
    assert seen.basis == "tokens"
    assert seen.expected == D("0.0471")  # 2 x 5e-6 + 1000 x 47e-6 = 0.04701
    assert seen.worst == D("0.1882")  # 24 x 5e-6 + 4000 x 47e-6 = 0.18812


def test_free_models_have_no_price() -> None:
    asked = order(Tariff(free=True, image=None), n=4)
    assert quote(asked.model, asked) == Quote(D(0), D(0), "none")
    assert charge(spec(cost="x"), asked, Usage(4, cost=D(3))) == Price()


def test_an_assumed_price_is_per_picture_and_only_where_nobody_knows() -> None:
    asked = order(Tariff(text_in=D(5)), n=3)
    assert quote(asked.model, asked, D("0.04")) == Quote(D("0.12"), D("0.12"), "list")
    assert charge(spec(), asked, Usage(2), D("0.04")) == Price(D("0.08"), "list")
    known = order(LIST)
    assert quote(known.model, known, D(9)) == quote(known.model, known)


@pytest.mark.parametrize("assumed", [None, D(-1), D("NaN"), D("Infinity")])
def test_a_price_that_nobody_knows_is_an_error_that_says_what_to_do(assumed: Decimal | None) -> None:
    asked = order(Tariff())
    with pytest.raises(UsageError) as caught:
        quote(asked.model, asked, assumed)
    assert "--assume-price" in caught.value.hint


def test_the_best_basis_wins() -> None:
    tariff = replace(TOKENS, image=D("0.05"), unit_price=D("0.02"))
    usage = {"text": 0, "image": 0, "out": 1000}
    asked, in_credits = order(tariff, prompt=""), spec(cost="cost", cost_unit=D("0.01"))
    assert charge(in_credits, asked, Usage(1, D(3), D(2), usage)) == Price(D("0.03"), "reported")
    assert charge(in_credits, asked, Usage(1, None, D(2), usage)) == Price(D("0.04"), "units")
    assert charge(in_credits, asked, Usage(1, None, None, usage)) == Price(D("0.047"), "tokens")
    assert charge(in_credits, asked, Usage(1)) == Price(D("0.05"), "list")


def test_a_reported_nothing_is_a_price() -> None:
    assert charge(spec(), order(LIST), Usage(1, cost=D(0))) == Price(D(0), "reported")


@pytest.mark.parametrize("nonsense", [D(-1), D("NaN"), D("-Infinity"), D("Infinity"), D("1E+30")])
def test_amounts_that_are_none_are_passed_over(nonsense: Decimal) -> None:
    tariff = replace(LIST, unit_price=D(1))
    paid = charge(spec(), order(tariff, prompt=""), Usage(1, cost=nonsense, units=nonsense))
    assert paid == Price(D("0.05"), "list")


def test_only_delivered_pictures_are_billed_by_the_list() -> None:
    assert charge(spec(), order(LIST, n=4, prompt=""), Usage(3)).usd == D("0.15")
    assert charge(spec(), order(LIST, n=4, prompt=""), Usage(-1)).usd == 0


def test_token_counts_that_are_not_reported_are_estimated() -> None:
    asked = order(TOKENS, images=(SOURCE,))
    whole = charge(spec(), asked, Usage(1, usage={"text": 50, "image": 1024, "out": 1024}))
    assert charge(spec(), asked, Usage(1, usage={"out": 1024})) == whole
    assert charge(spec(), asked, Usage(1, usage={"text": 50})).basis == "list"


@pytest.mark.parametrize(
    ("value", "usd"),
    [
        (0.05, D("0.05")),
        ("3.0", D(3)),
        (" 2 ", D(2)),
        (0, D(0)),
        (True, None),
        (-1, None),
        ("x", None),
        (None, None),
    ],
)
def test_amounts_in_answers(value: object, usd: Decimal | None) -> None:
    assert amount(value) == usd
    assert amount(float("nan")) is None
    assert amount([1]) is None


MONEY = st.decimals(0, 200, places=4)
MAYBE = st.none() | MONEY
SIDES = st.none() | st.integers(64, 4096)
PICTURES = st.builds(
    lambda w, h: replace(SOURCE, width=w, height=h), st.integers(1, 4096), st.integers(1, 4096)
)
TARIFFS = st.builds(
    Tariff,
    image=MAYBE,
    first_mp=MAYBE,
    next_mp=MAYBE,
    text_in=MAYBE,
    image_in=MAYBE,
    image_out=MAYBE,
    image_tokens=st.integers(0, 5000),
    image_tokens_max=st.integers(0, 9000),
    source_tokens=st.integers(0, 3000),
    unit_price=MAYBE,
    round_up_to=st.sampled_from([D("0.000001"), TENTH_CENT, D("0.01")]),
    usage=st.just(COUNTS),
)
ORDERS = st.builds(
    lambda tariff, prompt, n, side, images, mask: order(
        tariff, prompt=prompt, n=n, width=side, height=side, images=tuple(images), mask=mask
    ),
    TARIFFS,
    st.text(max_size=60),
    st.integers(1, 8),
    SIDES,
    st.lists(PICTURES, max_size=3),
    st.none() | PICTURES,
)


@given(ORDERS)
def test_the_worst_case_is_never_below_what_is_expected(asked: Order) -> None:
    seen = quote(asked.model, asked, D("0.05"))
    assert 0 <= seen.expected <= seen.worst
    assert seen.worst.as_tuple().exponent >= -6


@given(
    ORDERS,
    st.integers(0, 8),
    MAYBE,
    MAYBE,
    st.dictionaries(st.sampled_from(["text", "image", "out"]), st.integers()),
)
def test_a_charge_is_never_below_zero(
    asked: Order, images: int, cost: Decimal | None, units: Decimal | None, usage: dict[str, int]
) -> None:
    paid = charge(spec(cost_unit=D("0.01")), asked, Usage(images, cost, units, usage), D("0.05"))
    assert paid.usd >= 0
    assert paid.usd.as_tuple().exponent >= -6


@given(ORDERS)
def test_what_was_ordered_at_list_price_costs_what_was_expected(asked: Order) -> None:
    seen = quote(asked.model, asked, D("0.05"))
    assert charge(spec(), asked, Usage(asked.n), D("0.05")).usd == seen.expected
