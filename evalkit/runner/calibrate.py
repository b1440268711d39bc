"""What each installed metric notices: the studio's known faults, graded, beside the same pictures without.

A fault of some strength is *noticed* by an output if the faulty picture is worse than its clean twin in at
least nine of ten cases, and that would be rare (5 %, one-sided sign test) if the output were blind. The table
gives the weakest strength from which on every stronger one is noticed too. It says what a metric can see on
drawings; how much that matters to people is for `evalkit validity` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from math import comb

from evalkit.errors import WeightsMissing
from evalkit.ids import sha256
from evalkit.metrics.base import Metric, Output, Subject
from evalkit.metrics.registry import known, make, parse, spec
from evalkit.progress import SILENT, Progress
from evalkit.runner.graded import FAULTS, RGB, Fault, Kind, Specimen, fault, shown, specimens
from evalkit.workers import cpu_count, make_pool

NOTICED = 0.9
CHANCE = 0.05

MUST: Mapping[str, tuple[str, ...]] = {
    "ocr_word_f1": ("misspelt",),
    "ocr_cer": ("misspelt",),
    "ssim_out": ("spilled", "repainted", "shifted", "blurred", "noisy"),
    "psnr_out": ("spilled", "repainted", "shifted", "blurred", "noisy", "tinted"),
    "de00_out": ("spilled", "repainted", "tinted"),
    "spill": ("spilled",),
    "tone_drift": ("tinted",),
    "displacement": ("shifted", "zoomed"),
    "lpips_out": ("spilled", "repainted", "blurred"),
    "fault": ("spilled", "repainted", "not done", "cropped"),
}
"""Outputs that must notice these faults at their strongest; else something is broken."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one output makes of one fault.

    `worse` is, per strength, the share of specimens that the output ranks below their clean twins, 0 to 1;
    None where it gives no numbers. `noticed_from` is the weakest strength noticed, None if it is none.
    """

    metric: str
    output: str
    label: str
    fault: str
    unit: str
    strengths: tuple[float, ...]
    worse: tuple[float | None, ...]
    noticed_from: float | None
    required: bool

    @property
    def failed(self) -> bool:
        """It must notice this fault and does not, not even at its strongest."""
        return self.required and self.noticed_from is None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that was found, and the metrics that could not be tried, with the reason."""

    findings: tuple[Finding, ...]
    missing: Mapping[str, str]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Required faults that went unnoticed."""
        return tuple(one for one in self.findings if one.failed)


@dataclass(frozen=True, slots=True)
class Task:
    """One fault at all strengths on all specimens of one kind, for every metric; strength 0 is clean."""

    metrics: tuple[str, ...]
    kind: Kind
    count: int
    fault: str


Values = dict[tuple[str, str], list[list[float | None]]]
"""(metric, output) -> per strength, the clean one first, a value per specimen."""


def calibrate(
    metrics: str | None = None, *, count: int = 10, workers: int | None = None, progress: Progress = SILENT
) -> Calibration:
    """Show graded faults to metrics (default: all that work here) on `count` cases of each kind.

    Raises `UnknownName` and `UsageError` for a list that cannot be read.
    """
    chosen, missing = _usable(metrics)
    tasks = [
        Task(tuple(chosen), kind, count, one.name)
        for kind in ("edit", "text", "scene")
        for one in shown(FAULTS, kind)
    ]
    progress.start("calibrate", len(tasks))
    gathered: dict[str, list[Values]] = {}
    with make_pool(workers or cpu_count()) as pool:
        futures = {pool.submit(look, task): task for task in tasks}
        for future in as_completed(futures):
            gathered.setdefault(futures[future].fault, []).append(future.result())
            progress.advance("calibrate")
    progress.finish("calibrate")
    findings = [one for f in FAULTS for one in _findings(f, gathered.get(f.name, []))]
    return Calibration(tuple(findings), missing)


def _usable(metrics: str | None) -> tuple[list[str], dict[str, str]]:
    """Metrics that can be tried, as text, and those that cannot, with what to do about it."""
    asked = parse(metrics) if metrics else [make(name) for name in known()] + _minis()
    chosen, missing = [], {}
    for metric in asked:
        try:
            metric.weights_digest()
        except WeightsMissing as error:
            missing[spec(metric)] = f"{error.message}. {error.hint}"
            continue
        chosen.append(spec(metric))
    return chosen, missing


def _minis() -> list[Metric]:
    """The bundled small model in place of every metric that can use it."""
    found = []
    for name, metric in known().items():
        for option in ("model", "trunk"):
            if option in metric.defaults:
                found.append(make(name, {option: "mini"}))
    return found


def look(task: Task) -> Values:
    """Score clean and faulty pictures; runs in a process of its own."""
    chosen = [one for text in task.metrics for one in parse(text)]
    cases = specimens(task.kind, task.count)
    one = fault(task.fault)
    rows: Values = {}
    for strength in (0.0, *one.strengths):
        images = [case.clean if not strength else one.make(case, strength) for case in cases]
        for metric in chosen:
            for name, values in _scored(metric, task.kind, cases, images).items():
                rows.setdefault((spec(metric), name), []).append(values)
    return rows


def _scored(
    metric: Metric, kind: Kind, cases: Sequence[Specimen], images: Sequence[RGB]
) -> dict[str, list[float | None]]:
    outputs = [output.name for output in metric.outputs if _applies(output, kind, cases[0])]
    if not outputs:
        return {}
    subjects = [_subject(case, image) for case, image in zip(cases, images, strict=True)]
    found = metric.score(subjects)
    return {name: [values[name].value for values in found] for name in outputs}


def _applies(output: Output, kind: Kind, first: Specimen) -> bool:
    has = {"prompt"} | ({"source", "mask", "captions"} if kind == "edit" else {"t2i"})
    has |= {"expected_text"} if kind == "text" else set()
    fits = not output.categories or first.category in output.categories
    return fits and output.better != "neither" and output.needs <= has


def _subject(specimen: Specimen, image: RGB) -> Subject:
    source, mask = specimen.source, specimen.mask
    return Subject(
        image_sha=sha256(image.tobytes()),
        image=image,
        image_problem=None,
        case=specimen.case,
        source_sha=None if source is None else sha256(source.tobytes()),
        mask_sha=None if mask is None else sha256(mask.tobytes()),
        load_source=lambda: source,
        load_mask=lambda: mask,
        category=specimen.category,
    )


# What was noticed -----------------------------------------------------------------------------------------


def _findings(one: Fault, gathered: Sequence[Values]) -> Iterator[Finding]:
    outputs = {
        (spec(metric), output.name): output
        for text in {name for values in gathered for name, _ in values}
        for metric in parse(text)
        for output in metric.outputs
    }
    for key in sorted({key for values in gathered for key in values}):
        together = [values[key] for values in gathered if key in values]
        worse, noticed = zip(*_grades(together, outputs[key].better, len(one.strengths)), strict=True)
        first = _from(one.strengths, noticed)
        required = one.name in MUST.get(key[1], ())
        yield Finding(*key, outputs[key].label, one.name, one.unit, one.strengths, worse, first, required)


def _grades(
    together: Sequence[list[list[float | None]]], better: str, strengths: int
) -> Iterator[tuple[float | None, bool]]:
    """Per strength: the share of pictures ranked below their twins, and whether that is noticing."""
    for grade in range(1, strengths + 1):
        pairs = [
            (clean, faulty)
            for rows in together
            for clean, faulty in zip(rows[0], rows[grade], strict=True)
            if clean is not None and faulty is not None
        ]
        if not pairs:
            yield None, False
            continue
        worse = sum(faulty < clean if better == "higher" else faulty > clean for clean, faulty in pairs)
        yield worse / len(pairs), worse >= NOTICED * len(pairs) and by_chance(worse, len(pairs)) <= CHANCE


def by_chance(worse: int, n: int) -> float:
    """Probability that a fair coin gives at least `worse` heads in `n` throws (one-sided sign test)."""
    return float(sum(comb(n, k) for k in range(worse, n + 1)) / 2**n)


def _from(strengths: Sequence[float], noticed: Sequence[bool]) -> float | None:
    """The weakest strength from which on all are noticed."""
    first = None
    for strength, seen in zip(reversed(strengths), reversed(noticed), strict=True):
        if not seen:
            break
        first = strength
    return first
