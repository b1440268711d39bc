"""Whether the values of a description make sense together; that their types are right is known already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from urllib.parse import urlsplit

from evalkit.remote.body import FIELDS, FILE_HOOKS, VALUE_HOOKS, names
from evalkit.remote.paths import steps
from evalkit.remote.shapes import ratio_of, size_of
from evalkit.remote.spec import Model, Out, Rule, Spec, Submit
from evalkit.remote.tables import Problems
from evalkit.types import Json

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_STATUS = re.compile(r"\*|[1-5]xx|[1-5][0-9][0-9]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(:[A-Za-z_][A-Za-z0-9_]*)?")
_IN_BRACES = re.compile(r"\{([^{}]*)\}")
_PHASES = ("submit", "poll", "result", "*")
_FORMATS = ("png", "jpeg", "webp")
_OUT_PATHS = (
    "answer",
    "flagged",
    "seed",
    "revised_prompt",
    "model_version",
    "stage",
    "seconds",
    "queued_at",
    "started_at",
    "finished_at",
    "usage",
    "cost",
)


def check_spec(spec: Spec, problems: Problems) -> None:
    """Add everything that is wrong to `problems`, under the dotted names of the fields."""
    _check_identity(spec, problems)
    _check_numbers(spec, problems)
    _check_templates(spec, problems)
    if spec.mode != "sync":
        _check_jobs(spec, problems)
    _check_out(spec.out, problems)
    for name, path in (("id", spec.id), ("state", spec.state)):
        _check_path(f"provider.{name}", path, problems)
    _check_paths("provider.error", spec.error, problems)
    for name, path in spec.save.items():
        _check_path(f"provider.save.{name}", path, problems)
    for index, rule in enumerate(spec.rules):
        _check_rule(f"provider.rules[{index}]", rule, problems)
    _check_tasks(spec, problems)


def _check_identity(spec: Spec, problems: Problems) -> None:
    if not _NAME.fullmatch(spec.name):
        problems.add("provider.name", "must be small letters, digits, - and _")
    partial = spec.base_is_model or spec.base_env
    if not _is_origin(spec.base) and not (partial and (not spec.base or spec.base.startswith("/"))):
        problems.add("provider.base", "must be a URL such as https://api.example; only with base_env a path")
    elif spec.base != spec.base.lower() and not spec.base_env:
        problems.add("provider.base", "has a place to fill in (capital letters), which takes a base_env")
    for name, origin in spec.hosts.items():
        if not _is_origin(origin):
            problems.add(f"provider.hosts.{name}", "must be a URL such as https://cdn.example")
    for index, entry in enumerate(spec.env):
        if not _VARIABLE.fullmatch(entry):
            problems.add(f"provider.env[{index}]", "must be the name of a variable, or two joined by a colon")
    if spec.env and "{key}" not in spec.auth.value:
        problems.add("provider.auth.value", "must say where the {key} goes")
    _check_date("provider.dated", spec.dated, problems)


def _is_origin(text: str) -> bool:
    try:
        url = urlsplit(text)
        whole = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return whole and not (url.username or url.query or url.fragment) and text.isascii()


def _check_numbers(spec: Spec, problems: Problems) -> None:
    if not 0 < spec.poll_interval[0] <= spec.poll_interval[1]:
        problems.add("provider.poll_interval", "must be the shortest and the longest wait, in seconds")
    if not 0 < spec.concurrency[0] <= spec.concurrency[1]:
        problems.add("provider.concurrency", "must be how many requests to begin with, and the most")
    if spec.deadline <= 0:
        problems.add("provider.deadline", "must be seconds")
    for status in spec.rejects:
        if not 400 <= status < 500 or status in (408, 409, 425, 499):
            problems.add("provider.rejects", f"{status} does not prove that no job exists")


def _check_jobs(spec: Spec, problems: Problems) -> None:
    for name, value, why in (
        ("id", spec.id, "where the answer names the job"),
        ("poll", spec.poll, "where to ask for it"),
        ("state", spec.state, "where its state is"),
    ):
        if not value:
            problems.add(f"provider.{name}", f"is missing; with mode {spec.mode!r} it says {why}")
    if "done" not in spec.states.values():
        problems.add("provider.states", "no state is done, so a job would never end")


def _check_templates(spec: Spec, problems: Problems) -> None:
    common = {"base", *spec.hosts}
    of_job = {*common, "id", "model", "owner_app", *spec.save}
    for index, template in enumerate(spec.poll):
        _check_url(f"provider.poll[{index}]", template, of_job, problems)
    _check_url("provider.result", spec.result, of_job, problems)
    if spec.cancel:
        _check_url("provider.cancel.url", spec.cancel.url, of_job, problems)
    if spec.check:
        _check_url("provider.check.url", spec.check.url, common, problems)
    for name in set(spec.save) & {*common, "id", "model", "owner_app"}:
        problems.add(f"provider.save.{name}", "this name has a meaning already")


def _check_url(where: str, template: str, known: set[str], problems: Problems) -> None:
    for name in _IN_BRACES.findall(template):
        if name not in known:
            problems.add(where, f"nothing fills {{{name}}}; known: {', '.join(sorted(known))}")
    if template and not template.startswith(("{", "https://", "http://")):
        problems.add(where, "must begin with {base}, another host, or a saved URL")


def _check_out(out: Out, problems: Problems) -> None:
    if not out.images and not out.answer:
        problems.add("provider.out.images", "is missing: nothing says where the pictures are")
    _check_paths("provider.out.images", out.images, problems)
    for name in _OUT_PATHS:
        _check_path(f"provider.out.{name}", getattr(out, name), problems)
    if out.cost_unit <= 0:
        problems.add("provider.out.cost_unit", "must be more than nothing")


def _check_paths(where: str, paths: Iterable[str], problems: Problems) -> None:
    for index, path in enumerate(paths):
        _check_path(f"{where}[{index}]", path, problems)


def _check_path(where: str, path: str, problems: Problems) -> None:
    try:
        steps(path)
    except ValueError as error:
        problems.add(where, str(error))


def _check_rule(where: str, rule: Rule, problems: Problems) -> None:
    _check_path(f"{where}.path", rule.path, problems)
    try:
        re.compile(rule.match)
    except (re.error, OverflowError) as error:
        problems.add(f"{where}.match", f"is no regular expression: {error}")
    for phase in rule.phase.split("|"):
        if phase not in _PHASES:
            problems.add(f"{where}.phase", f"must be of {', '.join(_PHASES)}, and has {phase!r}")
    for status in rule.status.split("|"):
        if not _STATUS.fullmatch(status):
            problems.add(f"{where}.status", f"must be such as 422, 5xx, 200|5xx or *, and has {status!r}")
    _check_place(where, rule, problems)


def _check_place(where: str, rule: Rule, problems: Problems) -> None:
    if rule.path and rule.header:
        problems.add(where, "has a path and a header; one rule looks into one place")
    if rule.absent and (rule.match or not rule.path):
        problems.add(f"{where}.absent", "needs a path, and no match")
    if rule.path or rule.header:
        return
    if "*" in rule.status.split("|"):
        problems.add(where, "needs a path or a header, or a status of its own to search the whole text")
    elif any(status[0] == "2" for status in rule.status.split("|")):
        problems.add(where, "needs a path or a header: an answer that seems fine may repeat the prompt")


def _check_tasks(spec: Spec, problems: Problems) -> None:
    params = {name for model in spec.models for name in model.params}
    for task, submit in spec.submit.items():
        _check_submit(f"provider.submit.{task}", submit, params, problems)
    if not spec.models:
        problems.add("provider.models", "is missing: at least one [[model]] is needed")
    seen: set[tuple[str, str]] = set()
    for index, model in enumerate(spec.models):
        where = f"provider.models[{index}]"
        if (model.id, model.task) in seen:
            problems.add(f"{where}.id", f"{model.id!r} is there twice for {model.task}")
        seen.add((model.id, model.task))
        if model.task not in spec.submit:
            problems.add(f"{where}.task", f"there is no [submit.{model.task}]")
        elif model.body or model.path:
            _check_submit(where, spec.sending(model), params, problems)
        _check_model(where, model, problems)


def _check_submit(where: str, submit: Submit, params: set[str], problems: Problems) -> None:
    if not submit.path.startswith("/"):
        problems.add(f"{where}.path", "must begin with /")
    for name in _IN_BRACES.findall(submit.path):
        if name != "model":
            problems.add(f"{where}.path", f"nothing fills {{{name}}}; only {{model}} is known")
    _check_names(f"{where}.body", submit.body, params, problems)
    _check_body(f"{where}.body", submit.body, submit.multipart, problems)


def _check_names(where: str, body: Mapping[str, Json], params: set[str], problems: Problems) -> None:
    for name in names(body):
        if name not in {*FIELDS, *params, "params"}:
            problems.unknown(where, f"${name}", {f"${known}" for known in (*FIELDS, *params)})


def _check_body(where: str, body: Mapping[str, Json], form: bool, problems: Problems) -> None:
    """`form`: these are the keys of a form, which alone can hold files."""
    for key, part in body.items():
        if key == "*" and part != "$params":
            problems.add(f'{where}."*"', 'must be "$params"')
        elif key != "*" and part == "$params":
            problems.add(f"{where}.{key}", '"$params" belongs to the key "*"')
        elif isinstance(part, dict):
            _check_body(f"{where}.{key}", part, False, problems)
        elif isinstance(part, str) and part.startswith("@") and part not in VALUE_HOOKS:
            if part not in FILE_HOOKS:
                problems.unknown(f"{where}.{key}", part, (*VALUE_HOOKS, *FILE_HOOKS))
            elif not form:
                problems.add(f"{where}.{key}", f"{part} is a file: only a form holds one (multipart = true)")


def _check_model(where: str, model: Model, problems: Problems) -> None:
    _check_shapes(where, model, problems)
    _check_tariff(f"{where}.tariff", model, problems)
    if not model.id:
        problems.add(f"{where}.id", "must not be empty")
    if model.max_n < 1:
        problems.add(f"{where}.max_n", "must be 1 or more")
    if not 0 <= model.images[0] <= model.images[1]:
        problems.add(f"{where}.images", "must be the fewest and the most source pictures")
    if model.task == "edit" and model.images[1] < 1:
        problems.add(f"{where}.images", "an edit needs a source picture")
    if model.prompt_chars[0] < 0 or 0 < model.prompt_chars[1] < model.prompt_chars[0]:
        problems.add(f"{where}.prompt_chars", "must be the fewest and the most characters; 0 is no limit")
    for name in model.formats:
        if name not in _FORMATS:
            problems.add(f"{where}.formats", f"{name!r} is none of {', '.join(_FORMATS)}")
    _check_date(f"{where}.dated", model.dated, problems)
    _check_date(f"{where}.gone", model.gone, problems)


def _check_shapes(where: str, model: Model, problems: Problems) -> None:
    if sum((bool(model.ratios), bool(model.sizes), model.pixels is not None)) > 1:
        problems.add(where, "has several of ratios, sizes and pixels; a shape is asked for in one way")
    for ratio in (*model.ratios, *model.sizes):
        if ratio != "auto" and ratio_of(ratio) is None:
            problems.add(where, f"{ratio!r} is not an aspect ratio such as 16:9")
    for ratio, size in model.sizes.items():
        if size_of(size) is None:
            problems.add(f"{where}.sizes.{ratio}", f"{size!r} is not a size such as 1024x768")
    limits = model.pixels
    if limits and not (
        0 < limits.step <= limits.max_side
        and 0 < limits.min_side <= limits.max_side
        and limits.min_side**2 <= limits.max_area
    ):
        problems.add(f"{where}.pixels", "no picture fits these limits")


def _check_tariff(where: str, model: Model, problems: Problems) -> None:
    tariff = model.tariff
    counts = ("text_in", "image_in", "image_out", "all_in")
    for name, path in tariff.usage.items():
        if name not in counts:
            problems.unknown(f"{where}.usage", name, counts)
        _check_path(f"{where}.usage.{name}", path, problems)
    if tariff.next_mp is not None and tariff.first_mp is None:
        problems.add(f"{where}.next_mp", "needs first_mp")
    if tariff.image is not None and tariff.first_mp is not None:
        problems.add(where, "has a flat price and one by megapixels; a picture is billed in one way")
    if tariff.round_up_to <= 0:
        problems.add(f"{where}.round_up_to", "must be more than nothing")
    tokens = (tariff.image_tokens, tariff.image_tokens_max, tariff.source_tokens, tariff.source_tokens_max)
    if min(tokens) < 0:
        problems.add(where, "tokens are counted from 0")
    prices = (tariff.image, tariff.first_mp, tariff.image_out, tariff.unit_price)
    if any(price is not None for price in prices) and tariff.free:
        problems.add(f"{where}.free", "has a price as well")
    _check_date(f"{where}.dated", tariff.dated, problems)


def _check_date(where: str, text: str, problems: Problems) -> None:
    if not text:
        return
    try:
        date.fromisoformat(text)
    except ValueError:
        problems.add(where, f"{text!r} is not a date such as 2026-11-20")
