"""What a request will probably cost, the most it can cost, and what it has cost, in US dollars.

Money is `Decimal`, and the total of a request is rounded up once, never its parts. A worst case is never
below what is expected. Which requests are made, and what a budget allows, is for the runner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

from evalkit.errors import UsageError
from evalkit.remote.paths import first
from evalkit.remote.spec import Model, Order, Spec, Tariff
from evalkit.types import CostBasis, Json, Price, Quote

MICRO = Decimal("0.000001")
MILLION = Decimal(1_000_000)

CHARS_PER_TOKEN = 4
"""A rule of thumb for English: no provider publishes its tokenizer. At worst every byte is a token."""

MEGAPIXEL = 1024 * 1024
"""So that 1024 x 1024 is one; at worst it is 10^6, and 1024 x 1024 two."""

UNKNOWN_MEGAPIXELS = 4
"""A picture at worst, where the model decides its size: the largest that FLUX.2 makes."""

_TOO_MUCH = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer says of its cost: pictures, an amount in the provider's unit, units, token counts."""

    images: int
    cost: Decimal | None = None
    units: Decimal | None = None
    usage: Json = None


@dataclass(frozen=True, slots=True)
class _Load:
    """What one request takes: prompt tokens, source tokens, tokens and megapixels of each picture made,
    and megapixels of the sources."""

    text: int
    source: int
    image: int
    megapixels: int
    source_megapixels: int


def quote(model: Model, order: Order, assumed: Decimal | None = None) -> Quote:
    """What this request costs. `assumed` is dollars per picture, for a model whose price nobody knows.

    Raises `UsageError` where nobody knows it and nothing is assumed.
    """
    tariff = model.tariff
    if tariff.free:
        return Quote()
    basis = _basis(tariff)
    if basis is None:
        total = _ceil(order.n * _given(model, assumed), MICRO)
        return Quote(total, total, "list")
    expected = _rounded(_total(tariff, order.n, _expected(tariff, order)), tariff)
    worst = _rounded(_total(tariff, order.n, _worst(tariff, order)), tariff)
    return Quote(expected, worst, basis)


def charge(spec: Spec, order: Order, used: Usage, assumed: Decimal | None = None) -> Price:
    """What a request has cost, by the best that is known: reported, units, tokens, list price.

    Counts of prompt and source tokens that are not reported are estimated; without a count of the
    pictures' tokens the price is the list's.
    """
    tariff = order.model.tariff
    if tariff.free:
        return Price()
    if _is_amount(used.cost):
        return Price(_ceil(used.cost * spec.out.cost_unit, MICRO), "reported")
    if _is_amount(used.units) and tariff.unit_price is not None:
        return Price(_rounded(used.units * tariff.unit_price, tariff), "units")
    total = _by_tokens(tariff, order, used.usage)
    if total is not None:
        return Price(_rounded(total, tariff), "tokens")
    return _by_list(order, max(used.images, 0), assumed)


def amount(value: Json) -> Decimal | None:
    """A number in an answer, or a text that is one, if it can be an amount: finite and not negative.

    >>> amount("0.05"), amount(-1), amount(True)
    (Decimal('0.05'), None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except (ArithmeticError, ValueError):
        return None
    return number if _is_amount(number) else None


def _is_amount(value: Decimal | None) -> TypeGuard[Decimal]:
    return value is not None and value.is_finite() and 0 <= value < _TOO_MUCH


def _basis(tariff: Tariff) -> CostBasis | None:
    """How the price is known before the request is made; None if it is not."""
    if tariff.image is not None or tariff.first_mp is not None:
        return "list"
    if tariff.image_out is not None:
        return "tokens"
    return "units" if tariff.unit_price is not None else None


def _given(model: Model, assumed: Decimal | None) -> Decimal:
    hint = "Look it up in your account and give dollars per picture, such as --assume-price 0.05."
    if assumed is None:
        raise UsageError(f"nobody knows what {model.id} ({model.task}) costs", hint)
    if not _is_amount(assumed):
        raise UsageError(f"{assumed} is not a price per picture", hint)
    return assumed


def _expected(tariff: Tariff, order: Order) -> _Load:
    sources = [_megapixels(image.width, image.height, MEGAPIXEL) for image in order.images]
    return _Load(
        text=math.ceil(len(_prompt(order)) / CHARS_PER_TOKEN),
        source=tariff.source_tokens * len(sources),
        image=tariff.image_tokens,
        megapixels=_made(order, MEGAPIXEL, max(sources, default=1)),
        source_megapixels=sum(sources),
    )


def _worst(tariff: Tariff, order: Order) -> _Load:
    """Every byte a token, a mask billed like a source, a large source for its size, small megapixels."""
    inputs = (*order.images, order.mask) if order.mask else order.images
    sources = [_megapixels(image.width, image.height, 10**6) for image in inputs]
    return _Load(
        text=len(_prompt(order).encode("utf-8", "surrogatepass")),
        source=_most_tokens(tariff, sources),
        image=max(tariff.image_tokens, tariff.image_tokens_max),
        megapixels=_made(order, 10**6, max(sources, default=0) + UNKNOWN_MEGAPIXELS),
        source_megapixels=sum(sources),
    )


def _most_tokens(tariff: Tariff, megapixels: Sequence[int]) -> int:
    """Tokens of sources of so many begun megapixels, at worst."""
    if tariff.source_tokens_max:
        return max(tariff.source_tokens, tariff.source_tokens_max) * len(megapixels)
    return tariff.source_tokens * sum(megapixels)


def _prompt(order: Order) -> str:
    negative = order.params.get("negative_prompt")
    return order.prompt + (negative if isinstance(negative, str) else "")


def _made(order: Order, unit: int, unknown: int) -> int:
    if order.width and order.height:
        return _megapixels(order.width, order.height, unit)
    return unknown


def _megapixels(width: int, height: int, unit: int) -> int:
    """Begun megapixels, at least one."""
    return max(1, math.ceil(width * height / unit))


def _total(tariff: Tariff, n: int, load: _Load) -> Decimal:
    """Dollars, not yet rounded. The prompt and the sources are billed once, however many pictures."""
    inputs = load.text * (tariff.text_in or 0) + load.source * (tariff.image_in or 0)
    return n * _picture(tariff, load) + inputs / MILLION


def _picture(tariff: Tariff, load: _Load) -> Decimal:
    if tariff.image is not None:
        return tariff.image
    if tariff.first_mp is not None:
        further = load.megapixels - 1 + load.source_megapixels
        return tariff.first_mp + further * (tariff.first_mp if tariff.next_mp is None else tariff.next_mp)
    if tariff.image_out is not None:
        return load.image * tariff.image_out / MILLION
    return tariff.unit_price or Decimal(0)


def _by_tokens(tariff: Tariff, order: Order, usage: Json) -> Decimal | None:
    made = _count(usage, tariff, "image_out")
    if made is None or tariff.image_out is None:
        return None
    load = _expected(tariff, order)
    if (together := _count(usage, tariff, "all_in")) is not None:
        return (made * tariff.image_out + together * (tariff.text_in or 0)) / MILLION
    text, source = _count(usage, tariff, "text_in"), _count(usage, tariff, "image_in")
    return (
        made * tariff.image_out
        + (load.text if text is None else text) * (tariff.text_in or 0)
        + (load.source if source is None else source) * (tariff.image_in or 0)
    ) / MILLION


def _count(usage: Json, tariff: Tariff, name: str) -> Decimal | None:
    return amount(first(usage, tariff.usage.get(name, "")))


def _by_list(order: Order, images: int, assumed: Decimal | None) -> Price:
    tariff = order.model.tariff
    if _basis(tariff) is not None:
        return Price(_rounded(_total(tariff, images, _expected(tariff, order)), tariff), "list")
    if _is_amount(assumed):
        return Price(_ceil(images * assumed, MICRO), "list")
    return Price()


def _rounded(total: Decimal, tariff: Tariff) -> Decimal:
    return _ceil(_ceil(total, tariff.round_up_to), MICRO)


def _ceil(total: Decimal, step: Decimal) -> Decimal:
    """The least multiple of `step` that is not below `total`; exact, as a quotient of Decimals may not be."""
    if step <= 0:
        return total
    whole, rest = divmod(total, step)
    return (whole + 1) * step if rest > 0 else whole * step
