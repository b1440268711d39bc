"""How rows of the catalogue read for people: shapes, counts, prices and what is not documented, in words.

It shows what the description says and what a probe has observed beside it; it asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from evalkit.errors import UsageError
from evalkit.remote.catalog import account
from evalkit.remote.prices import quote
from evalkit.remote.shapes import fit, ratio_of
from evalkit.remote.spec import Model, Order, Spec, Tariff
from evalkit.runner.probing import Fact
from evalkit.types import ImageInput

NOT_DOCUMENTED = "not documented"
USUAL_PROMPT = 200
"""Characters of the prompt that a price in a table is for."""

_SOURCE = ImageInput(b"", "", 1024, 1024)
_FEW = 4

MODES = {"async": "with a job to ask for", "sync": "at once", "auto": "at once, or with a job to ask for"}


def is_gone(row: Model) -> bool:
    """Whether a model has been shut down by today."""
    return bool(row.gone) and row.gone <= datetime.now(UTC).date().isoformat()


def tasks_of(spec: Spec) -> str:
    """`t2i, edit`."""
    return ", ".join(task for task in ("t2i", "edit") if any(row.task == task for row in spec.models))


def models_of(spec: Spec) -> str:
    """How many models there are, and whether others can be asked too."""
    there = {row.family or row.id for row in spec.models if row.id != "*" and not is_gone(row)}
    others = any(row.id == "*" for row in spec.models)
    return f"{len(there)} + any" if there and others else "any" if others else str(len(there))


def cheapest(spec: Spec) -> str:
    """The lowest expected price of one picture, in US dollars; `free`, or `?` where no price is known."""
    known = [price for row in spec.models if not is_gone(row) and (price := expected(row)) is not None]
    if not known:
        return "?"
    return f"{min(known):.4f}".rstrip("0") if min(known) else "free"


def expected(row: Model) -> Decimal | None:
    """What one square picture will probably cost; None where nobody knows."""
    try:
        shape = fit(row, "1:1", degrade=True)
        size = (shape.width, shape.height)
        order = Order("", row, row.id, row.task, "x" * USUAL_PROMPT, 1, shape.aspect_ratio, *size)
        return quote(row, replace(order, images=(_SOURCE,) if row.images[0] else ())).expected
    except UsageError:
        return None


def account_lines(spec: Spec, missing: str) -> Iterator[tuple[str, str]]:
    """What holds for every model of a provider."""
    found = account(spec)
    moved = f" (moved from {spec.base or 'the place in ' + spec.base_env})" if found.moved else ""
    yield "ready", f"no: needs {missing}" if missing else "yes"
    yield "base URL", (found.base or f"in {spec.base_env}") + moved
    yield "keys", ", ".join(name.replace(":", " and ") for name in spec.env) or "none needed"
    yield "answers", f"{MODES[spec.mode]}, within {spec.deadline:g} s"
    yield "at a time", f"{spec.concurrency[0]} to {spec.concurrency[1]} requests"
    yield "sources", _sources(spec)
    yield "cost is told", _cost(spec)
    yield "lost jobs", "are looked up" if spec.reconcile else "cannot be looked up: they stay unknown"
    yield "webhooks", "understood, see evalkit serve-webhooks" if spec.webhook else "not used"
    yield "documented", f"{spec.source or NOT_DOCUMENTED}, read {spec.dated or 'on an unknown day'}"


def row_lines(row: Model) -> Iterator[tuple[str, str]]:
    """Everything that the catalogue says of one model and task."""
    if row.gone:
        yield "gone", f"since {row.gone}" if is_gone(row) else f"will be shut down on {row.gone}"
    yield "family", row.family or "-"
    yield "shapes", shapes(row)
    yield "formats", ", ".join(row.formats) or "the model decides"
    yield "pictures per request", f"1 to {row.max_n}" if row.max_n > 1 else "1"
    yield "seed", "yes" if row.seed else "no"
    yield "source pictures", sources(row) or "none"
    yield "prompt", _prompt(row)
    yield "parameters", _parameters(row)
    yield "price", price(row)
    yield "note", row.note or "-"
    yield "documented", f"{row.source or NOT_DOCUMENTED}, read {row.dated or 'on an unknown day'}"


def summary_row(row: Model) -> dict[str, object]:
    """One model and task as a row of a table."""
    return {
        "model": row.id + (f" ({'gone' if is_gone(row) else 'until'} {row.gone})" if row.gone else ""),
        "task": row.task,
        "shapes": _short_shapes(row),
        "formats": " ".join(row.formats) or "its own",
        "n": f"1-{row.max_n}" if row.max_n > 1 else "1",
        "seed": "yes" if row.seed else "no",
        "source": sources(row) or "-",
        "price USD": _short_price(row),
    }


def row_json(row: Model) -> dict[str, Any]:
    """The same for programs: money as text, what is not documented as null."""
    return {key: _plain(value) for key, value in asdict(row).items() if key != "body"}


def observed_tables(spec: Spec, facts: Sequence[Fact]) -> dict[str, list[dict[str, object]]]:
    """What probes have found, beside what the catalogue says: a table per model and task, by its title."""
    rows: dict[tuple[str, str], Model] = {(row.id, row.task): row for row in spec.models}
    tables: dict[str, list[dict[str, object]]] = {}
    for fact in {fact.subject: fact for fact in facts}.values():
        title = f"{spec.name}:{fact.model}" + (f" ({fact.task})" if fact.task else "")
        tables.setdefault(title if fact.model else f"{spec.name}, whatever the model", []).append(
            {
                "observed": f"{fact.name}, {fact.about}" if fact.about else fact.name,
                "catalogue": _says(rows.get((fact.row, fact.task)), fact),
                "answer": fact.value,
                "on": fact.date,
            }
        )
    return tables


def shapes(row: Model) -> str:
    """The shapes that can be asked for."""
    if row.ratios:
        return " ".join(row.ratios)
    if row.sizes:
        return " ".join(
            ratio if size == ratio.replace(":", "x") else f"{ratio} ({size})"
            for ratio, size in row.sizes.items()
        )
    if row.pixels is None:
        return "the model decides"
    limits = row.pixels
    area = Decimal(limits.max_area) / 2**20
    return f"sides {limits.min_side} to {limits.max_side} by {limits.step}, at most {area:.1f} MP"


def sources(row: Model) -> str:
    """How many pictures a request may bring along; empty for none."""
    least, most = row.images
    if not most:
        return ""
    return (str(most) if least == most else f"{least}-{most}") + (" + mask" if row.mask else "")


def price(row: Model) -> str:
    """The list price with its basis, its date and its source."""
    tariff = row.tariff
    where = f" ({tariff.source or 'no source'}, read {tariff.dated or 'on an unknown day'})"
    if tariff.free:
        return "free"
    parts = ", ".join(price_parts(tariff))
    return parts + where if parts else f"{NOT_DOCUMENTED}: give one with --assume-price USD"


def _short_shapes(row: Model) -> str:
    ratios = sorted(filter(ratio_of, row.ratios or row.sizes), key=lambda name: -(ratio_of(name) or 0))
    if len(ratios) > _FEW:
        return f"{len(ratios)}, {ratios[0]} to {ratios[-1]}"
    return " ".join(ratios) or shapes(row)


def _short_price(row: Model) -> str:
    amount = expected(row)
    if amount is None:
        return NOT_DOCUMENTED
    return f"{amount:.4f}".rstrip("0") if amount else "free"


def price_parts(tariff: Tariff) -> Iterator[str]:
    """What is paid for, each with its amount; nothing where no price is known."""
    if tariff.image is not None:
        yield f"${tariff.image} a picture"
    if tariff.first_mp is not None:
        further = tariff.first_mp if tariff.next_mp is None else tariff.next_mp
        yield f"${tariff.first_mp} the first megapixel, ${further} each further"
    if tariff.image_out is not None:
        yield f"${tariff.image_out} per million tokens of pictures, about {tariff.image_tokens} each"
    if tariff.text_in is not None:
        yield f"${tariff.text_in} per million tokens of prompt"
    if tariff.image_in is not None:
        yield f"${tariff.image_in} per million tokens of sources"
    if tariff.unit_price is not None:
        yield f"${tariff.unit_price} a billable unit"


def _sources(spec: Spec) -> str:
    if not any(row.images[1] for row in spec.models):
        return "none taken"
    if any(submit.multipart for submit in spec.submit.values()):
        return "sent as files"
    if not spec.inline_limit:
        return "uploaded first"
    larger = "larger ones uploaded first" if spec.upload else "nothing larger"
    return f"sent inline up to {spec.inline_limit / 1e6:g} MB, {larger}"


def _cost(spec: Spec) -> str:
    if all(row.tariff.free for row in spec.models):
        return "free"
    if spec.out.cost:
        return "in the answer"
    if spec.out.units_header:
        return f"in units, by the header {spec.out.units_header}"
    usage = any(row.tariff.usage for row in spec.models)
    return "in tokens, in the answer" if usage else f"{NOT_DOCUMENTED}; the list price is taken"


def _prompt(row: Model) -> str:
    least, most = row.prompt_chars
    if not most:
        return f"longest prompt {NOT_DOCUMENTED}"
    return f"{least} to {most} characters"


def _parameters(row: Model) -> str:
    named = [
        f"{name}={'|'.join(values)}" if values else name for name, values in row.params.items() if name != "*"
    ]
    return ", ".join([*named, *(["any other is passed on"] if "*" in row.params else [])]) or "none further"


def _says(row: Model | None, fact: Fact) -> str:
    """What the catalogue has to say about a fact."""
    if row is None:
        return NOT_DOCUMENTED
    match fact.name:
        case "served":
            return f"gone {row.gone}" if row.gone else "listed"
        case "pixels":
            return row.sizes.get(fact.about) or (shapes(row) if row.pixels else NOT_DOCUMENTED)
        case "format":
            return " ".join(row.formats) or NOT_DOCUMENTED
        case "pictures":
            return f"at most {row.max_n}"
        case "charged":
            short = _short_price(row)
            return short if short in ("free", NOT_DOCUMENTED) else f"about ${short} a picture"
        case _:
            return NOT_DOCUMENTED


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if value == "" else value
