"""The descriptions that come with evalkit: complete, dated, priced where known, and free of known traps."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from evalkit.errors import UnknownName, UsageError
from evalkit.remote.body import names
from evalkit.remote.catalog import CATALOG, find_model, missing, read_spec, specs
from evalkit.remote.prices import quote
from evalkit.remote.reconcile import RECONCILERS
from evalkit.remote.shapes import fit
from evalkit.remote.spec import Model, Order, Spec
from evalkit.remote.upload import UPLOADS
from evalkit.remote.webhooks import SCHEMES
from evalkit.types import ASPECT_RATIOS, ImageInput

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(CATALOG.glob("*.toml"))
ASYNC = {"fal", "each", "pixazo", "bfl", "replicate"}
SYNC = {
    "azure",
    "openai",
    "local",
    "gemini",
    "stability",
    "a1111",
    "ideogram",
    "together",
    "openrouter",
}
FREE = {"local", "a1111"}
ROWS = [(spec, model) for spec in specs().values() for model in spec.models]
LINK = re.compile(r"https://[\w.-]+/?\S*")


def row_name(value: object) -> str | None:
    if isinstance(value, Spec):
        return value.name
    return f"{value.id}-{value.task}" if isinstance(value, Model) else None


every_row = pytest.mark.parametrize(("spec", "model"), ROWS, ids=row_name)
every_spec = pytest.mark.parametrize("spec", specs().values(), ids=row_name)


def test_there_is_a_file_for_each_provider() -> None:
    assert {path.stem for path in FILES} == ASYNC | SYNC
    assert {name for name, spec in specs().items() if spec.mode == "sync"} >= SYNC


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_can_be_read(path: Path) -> None:
    assert read_spec(path).name == path.stem


@every_spec
def test_a_provider_is_dated_and_has_a_source(spec: Spec) -> None:
    assert date.fromisoformat(spec.dated) <= date(2026, 11, 20)
    assert LINK.fullmatch(spec.source)
    assert spec.summary
    assert not spec.summary.endswith(".")


@every_row
def test_a_row_is_dated_and_has_a_source(spec: Spec, model: Model) -> None:
    assert date.fromisoformat(model.dated) <= date(2026, 11, 20)
    assert LINK.fullmatch(model.source)
    assert model.gone == "" or date.fromisoformat(model.gone)


@every_row
def test_a_price_is_dated_and_has_a_source(spec: Spec, model: Model) -> None:
    tariff = model.tariff
    amounts = (tariff.image, tariff.first_mp, tariff.image_out, tariff.unit_price)
    assert tariff.free == (spec.name in FREE)
    if tariff.free or any(amount is not None for amount in amounts):
        assert date.fromisoformat(tariff.dated)
        assert LINK.fullmatch(tariff.source)
    else:
        assert tariff.dated == tariff.source == ""


@every_row
def test_a_row_fits_its_task(spec: Spec, model: Model) -> None:
    assert model.task in spec.submit
    least, most = model.images
    assert least <= most
    assert (least >= 1) == (model.task == "edit")
    assert sum(map(bool, (model.ratios, model.sizes, model.pixels))) <= 1


@every_row
def test_every_field_of_a_template_can_have_a_value(spec: Spec, model: Model) -> None:
    used = set(names(spec.sending(model).body))
    shapes = {"aspect_ratio": model.ratios, "width": model.pixels, "height": model.pixels}
    missing_shape = {name for name in shapes if shapes[name] and name not in used}
    sized = "@size" in str(spec.sending(model).body)
    if spec.name != "azure" or model.task != "edit":
        assert not missing_shape or sized
    assert not model.seed or "seed" in used
    assert model.max_n == 1 or "n" in used
    assert len(model.formats) < 2 or "output_format" in used


@every_row
def test_a_row_with_parameters_sends_them(spec: Spec, model: Model) -> None:
    text = str(dict(spec.sending(model).body))
    for name in model.params:
        assert "'$params'" in text or f"'${name}'" in text


def test_the_common_shapes_can_be_asked_of_the_gateways() -> None:
    for spec, model in ROWS:
        if spec.name in ("fal", "each", "pixazo") and model.family:
            assert [fit(model, ratio, degrade=False).aspect_ratio for ratio in ASPECT_RATIOS] == list(
                ASPECT_RATIOS
            )


def test_a_wide_shape_is_for_making_and_not_for_editing() -> None:
    fal = specs()["fal"]
    assert fit(find_model(fal, "mai-image-2.5", "t2i"), "21:9", degrade=False).aspect_ratio == "21:9"
    with pytest.raises(UsageError, match="cannot make 21:9"):
        fit(find_model(fal, "mai-image-2.5", "edit"), "21:9", degrade=False)


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_azure_is_asked_for_sizes_that_it_takes(ratio: str) -> None:
    shape = fit(find_model(specs()["azure"], "MAI-Image-2.5", "t2i"), ratio, degrade=False)
    assert shape.width is not None
    assert shape.height is not None
    assert min(shape.width, shape.height) >= 768
    assert shape.width * shape.height <= 1_048_576


def test_azure_cannot_make_what_is_wider_than_16_by_9() -> None:
    with pytest.raises(UsageError, match="cannot make 21:9"):
        fit(find_model(specs()["azure"], "MAI-Image-2.5", "t2i"), "21:9", degrade=False)


@every_spec
def test_procedures_that_a_description_names_exist(spec: Spec) -> None:
    assert spec.upload == "" or spec.upload in UPLOADS
    assert spec.reconcile == "" or spec.reconcile in RECONCILERS
    assert spec.webhook == "" or spec.webhook in SCHEMES


@every_spec
def test_nothing_ambiguous_counts_as_a_rejection(spec: Spec) -> None:
    assert not [status for status in spec.rejects if status in (408, 409) or status >= 500 or status < 400]


@every_spec
def test_a_job_can_be_followed(spec: Spec) -> None:
    if spec.name in SYNC:
        assert not spec.poll
        return
    assert spec.id
    assert spec.state
    assert {"queued", "running", "done"} <= set(spec.states.values())
    assert spec.poll[-1].startswith("{base}/")
    named = {name for url in spec.poll for name in re.findall(r"{(\w+)}", url)}
    assert named <= {"base", "id", "owner_app", *spec.save}


@every_spec
def test_patience_and_haste_are_sensible(spec: Spec) -> None:
    first, most = spec.concurrency
    low, high = spec.poll_interval
    assert 1 <= first <= most <= 40
    assert 0.1 <= low <= high <= 10
    assert 60 <= spec.deadline <= 900


@every_spec
def test_a_key_is_wanted_unless_the_server_is_ones_own(spec: Spec) -> None:
    assert (missing(spec, {}) == "") == (spec.name in FREE)
    assert spec.env


CHECKS = {
    "fal": "GET {base}/fal-ai/flux/requests/00000000-0000-4000-8000-000000000000/status",
    "each": "GET {base}/v1/prediction/00000000-0000-4000-8000-000000000000",
    "pixazo": "GET {base}/v2/requests/status/x",
    "openai": "GET {base}/models",
    "local": "GET {base}/models",
    "gemini": "GET {base}/v1beta/models",
    "bfl": "GET {base}/v1/credits",
    "replicate": "GET {base}/v1/account",
    "stability": "GET {base}/v1/user/balance",
    "together": "GET {base}/models",
    "openrouter": "GET {base}/key",
    "a1111": "GET {base}/sdapi/v1/options",
}


def test_an_account_is_looked_at_for_free() -> None:
    calls = {spec.name: spec.check for spec in specs().values() if spec.check}
    assert {name: f"{call.method} {call.url}" for name, call in calls.items()} == CHECKS
    assert not [spec.name for spec in specs().values() if 401 in spec.check_ok or 403 in spec.check_ok]


def test_fal_may_neither_retry_nor_answer_from_elsewhere() -> None:
    fal = specs()["fal"]
    assert fal.headers == {
        "X-Fal-No-Retry": "1",
        "x-app-fal-disable-fallback": "true",
        "x-fal-disable-fallbacks": "true",
    }
    assert fal.deadline_header == "X-Fal-Request-Start-Timeout"
    assert fal.tag_header == "X-Fal-Tags: trial={trial}"


def test_nothing_asks_fal_to_forget() -> None:
    assert not [path for path in FILES if "store-io" in path.read_text("utf-8").lower()]
    assert not [path for path in FILES if re.search(r"^sync_mode = true", path.read_text("utf-8"), re.M)]


def test_models_that_are_gone_say_since_when() -> None:
    gone = {model.id: model.gone for spec, model in ROWS if model.gone}
    assert gone == {
        "dall-e-2": "2026-05-12",
        "dall-e-3": "2026-05-12",
        "gpt-image-1": "2026-10-23",
        "gpt-image-1.5": "2026-12-01",
    }


def test_a_model_is_found_by_its_family_and_task() -> None:
    fal, azure = specs()["fal"], specs()["azure"]
    assert find_model(fal, "mai-image-2.5", "edit").id == "microsoft/mai-image-2.5/edit"
    assert find_model(fal, "someone/elses", "t2i").id == "*"
    assert find_model(azure, "my-deployment", "edit").id == "*"
    with pytest.raises(UsageError):
        find_model(azure, "MAI-Image-2", "edit")
    with pytest.raises(UnknownName):
        find_model(specs()["bfl"], "flux-9", "t2i")


SOURCE = ImageInput(b"\x89PNG", "0" * 64, 1024, 1024)


@pytest.mark.parametrize(
    ("n", "sources", "expected"),
    [(1, 0, "0.0503"), (4, 0, "0.2003"), (1, 1, "0.0585"), (2, 1, "0.1085")],
)
def test_what_fal_asks_for_fifty_tokens(n: int, sources: int, expected: str) -> None:
    model = find_model(specs()["fal"], "mai-image-2.5", "edit" if sources else "t2i")
    order = Order("t", model, model.id, model.task, "word" * 50, n=n, images=(SOURCE,) * sources)
    assert quote(model, order).expected == Decimal(expected)


def test_what_azure_asks_for_fifty_tokens() -> None:
    model = find_model(specs()["azure"], "MAI-Image-2.5", "t2i")
    order = Order("t", model, model.id, "t2i", "word" * 50, width=1024, height=1024)
    assert quote(model, order).expected == Decimal("0.048378")
    assert quote(model, order).basis == "tokens"


def test_one_source_picture_is_a_further_megapixel_at_bfl() -> None:
    model = find_model(specs()["bfl"], "flux-2-pro", "edit")
    order = Order("t", model, model.id, "edit", "x", width=1024, height=1024, images=(SOURCE,))
    assert quote(model, order).expected == Decimal("0.045")


def test_a_model_without_a_price_needs_one() -> None:
    model = find_model(specs()["pixazo"], "microsoft-mai-image-2-5", "t2i")
    order = Order("t", model, model.id, "t2i", "x")
    with pytest.raises(UsageError):
        quote(model, order)
    assert quote(model, order, Decimal("0.06")).expected == Decimal("0.06")


def test_the_page_about_the_catalogue_is_current() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "catalog_page.py"), "--check"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
