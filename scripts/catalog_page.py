"""Write docs/catalog.md from the catalogue's files; `--check` only compares.

It knows how a row of the catalogue reads as a sentence of a table. What the rows say is for
`evalkit/providers/catalog`, and what they mean for a request is for `evalkit.remote`.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from evalkit.cli.catalogue import price_parts, shapes
from evalkit.remote.catalog import read_spec
from evalkit.remote.spec import Model, Spec, Tariff

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "catalog.md"
CATALOG = ROOT / "evalkit" / "providers" / "catalog"

INTRO = """\
<!-- written by scripts/catalog_page.py from evalkit/providers/catalog, not by hand -->

# The catalogue

What each remote provider's models take and cost, as their documentation says on the date beside it. A system
is written `provider:model?parameter=value`; how keys, budgets and outcomes work is in
[providers.md](providers.md).

* **Prices change.** They are list prices of the date given, in US dollars. Where an answer reports what a
  request has cost, that is what is recorded. Before a run, an expected and a highest price come from
  this table. A model without a price runs only with `--assume-price`.
* **Shapes.** Ratios are sent as they are; `at most 1.0 MP` means that width and height are computed for the
  ratio a case asks for; `its own choice` means that no shape is sent. A case that a model cannot take is an
  error before anything is paid, unless `--allow-degrade` allows the nearest shape. `auto` is never asked for.
* **Seeds.** Without one, the only way to see how much a model varies is to ask again (`--replicates`).
* **`*`** stands for any other model of that provider, about which nothing is known here.
* **The same model behind a gateway is not the same test**: shapes, formats and counts differ, so a gateway
  has to resize or convert. Compare on PNG, and look at the pixel sizes that were recorded.

`comfyui` and `diffusers` also come with evalkit; their models are yours, so they have no rows.
"""

TASKS = {"t2i": "make", "edit": "edit"}
MODES = {"async": "a job to ask for", "sync": "at once", "auto": "at once or a job"}


def rendered(specs: Sequence[Spec]) -> str:
    """The whole page."""
    parts = [INTRO, _providers(specs), _families(specs), *(_provider(spec) for spec in specs), _gone(specs)]
    return "\n".join(part for part in parts if part)


def catalogue() -> list[Spec]:
    """Every description that comes with evalkit, by name."""
    return sorted((read_spec(path) for path in CATALOG.glob("*.toml")), key=lambda spec: spec.name)


def main() -> None:
    """Write the page, or with `--check` end with 1 if it is not what it would be."""
    page = rendered(catalogue())
    if "--check" in sys.argv[1:]:
        current = PAGE.read_text("utf-8") if PAGE.exists() else ""
        sys.exit("docs/catalog.md is out of date: python scripts/catalog_page.py" if page != current else 0)
    PAGE.write_text(page, "utf-8")


def _providers(specs: Iterable[Spec]) -> str:
    heads = (
        "provider",
        "what it is",
        "needs",
        "answers",
        "at a time",
        "gives up after",
        "cost is known from",
    )
    rows = [
        (
            f"[`{spec.name}`](#{spec.name})",
            spec.summary,
            _needs(spec),
            MODES[spec.mode],
            f"{spec.concurrency[0]} to {spec.concurrency[1]}",
            f"{spec.deadline:g} s",
            _basis(spec),
        )
        for spec in specs
    ]
    return f"## Providers\n\n{_table(heads, rows)}"


def _needs(spec: Spec) -> str:
    keys = [f"`{'` and `'.join(name.split(':'))}`" for name in spec.env]
    key = " or ".join(keys) + (" if the server wants one" if spec.auth.optional else "")
    place = {True: "its URL as the model", False: f"`{spec.base_env}`" if spec.base_env else ""}
    return ", ".join(part for part in (place[spec.base_is_model], key) if part)


def _basis(spec: Spec) -> str:
    if all(model.tariff.free for model in spec.models):
        return "free"
    if spec.out.cost:
        return "the answer"
    if any(model.tariff.usage for model in spec.models):
        return "tokens in the answer"
    return "units in the answer, else the list price" if spec.out.units_header else "the list price"


def _families(specs: Iterable[Spec]) -> str:
    places: dict[str, dict[str, None]] = defaultdict(dict)
    for spec in specs:
        for model in spec.models:
            if model.family and not model.gone:
                places[model.family][f"`{spec.name}:{model.id}`"] = None
    shared = {family: list(ids) for family, ids in places.items() if len({i.split(":")[0] for i in ids}) > 1}
    if not shared:
        return ""
    rows = [(family, "<br>".join(ids)) for family, ids in sorted(shared.items())]
    return f"## The same model in several places\n\n{_table(('model', 'systems'), rows)}"


def _provider(spec: Spec) -> str:
    heads = ("model", "task", "shapes", "formats", "n", "seed", "pictures in", "price", "read")
    there = [model for model in spec.models if not _is_gone(model)]
    head = f"## {spec.name}\n\n{spec.summary}.\n[Documentation]({spec.source}), read {spec.dated}.\n"
    return f"{head}\n{_table(heads, [_row(model) for model in there])}{_remarks(there)}"


def _row(model: Model) -> tuple[str, ...]:
    return (
        f"`{model.id}`",
        TASKS[model.task],
        shapes(model),
        " ".join(model.formats) or "its own choice",
        f"1 to {model.max_n}" if model.max_n > 1 else "1",
        "yes" if model.seed else "no",
        _pictures(model),
        _price(model.tariff),
        f"[{model.dated}]({model.source})",
    )


def _remarks(models: Iterable[Model]) -> str:
    """What does not fit into a column, once for models and tasks that it is the same for."""
    tasks: dict[tuple[str, str], list[str]] = defaultdict(list)
    for model in models:
        if remark := "; ".join(_notes(model)):
            tasks[model.id, remark].append(TASKS[model.task])
    several = Counter(model for model, _ in tasks)
    lines = [
        f"* `{model}`{f' ({there[0]})' if several[model] > 1 else ''}: {remark}.\n"
        for (model, remark), there in tasks.items()
    ]
    return "\n" + "".join(lines) if lines else ""


def _pictures(model: Model) -> str:
    least, most = model.images
    if most == 0:
        return ""
    return (str(most) if least == most else f"{least} to {most}") + (" and a mask" if model.mask else "")


def _price(tariff: Tariff) -> str:
    if tariff.free:
        return "free"
    parts = _per_picture(tariff) + ", ".join(price_parts(tariff))
    return f"{parts} ([{tariff.dated}]({tariff.source}))" if parts else "not known"


def _per_picture(tariff: Tariff) -> str:
    if tariff.image_out is None:
        return ""
    about = (tariff.image_out * tariff.image_tokens / 1_000_000).quantize(Decimal("0.001"))
    return f"about ${about} a picture: "


def _notes(model: Model) -> Iterator[str]:
    if model.gone:
        yield f"**until {model.gone}**"
    if model.note:
        yield model.note
    if model.prompt_chars[1]:
        yield f"prompts of {model.prompt_chars[0]} to {model.prompt_chars[1]} characters"
    if named := [_param(name, values) for name, values in model.params.items() if name != "*"]:
        yield "parameters: " + ", ".join(named)
    if "*" in model.params:
        yield "any parameter is passed on"


def _param(name: str, values: Sequence[str]) -> str:
    return f"`{name}`" + (f" ({', '.join(values)})" if values else "")


def _is_gone(model: Model) -> bool:
    """By the date its row was read, so that the page does not change by itself."""
    return bool(model.gone) and model.gone <= model.dated


def _gone(specs: Iterable[Spec]) -> str:
    rows = [
        (f"`{spec.name}:{model.id}`", TASKS[model.task], model.gone, f"[{model.dated}]({model.source})")
        for spec in specs
        for model in spec.models
        if _is_gone(model)
    ]
    return f"## No longer there\n\n{_table(('system', 'task', 'since', 'read'), rows)}" if rows else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
