"""A small benchmark with pictures, for looking at and for testing: five systems, four categories, one study.

Photographs are those that scikit-image brings. Each made-up system spoils them in its own way, and its
scores follow from how it does, so that the report has an order to find.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont
from sampledb import SampleDb

from evalkit.ids import sha256
from evalkit.report import Definition, Inputs, load_definition

SYSTEMS = {"aurora-2": 0.9, "brush-xl": 0.75, "canvas-mini": 0.55, "delta-flow": 0.72, "easel-1": 0.35}
PROMPTS = {
    "product": "A cup of espresso on a wooden table, studio light, no props, variant {i}",
    "portrait": "Portrait of an astronaut in orange, flag behind her, number {i} <script>alert(1)</script>",
    "typography": 'A shop sign that reads "OPEN {i}" in white letters on a dark board',
    "edit-preservation": "Make the cat's fur ginger, keep everything else as it is ({i})",
}
NOW = datetime(2026, 5, 5, 9, 0, tzinfo=UTC)
PHOTOS = {"product": "coffee", "portrait": "astronaut", "edit-preservation": "chelsea"}


@dataclass
class Scenario:
    """The database and the pictures it names."""

    sample: SampleDb = field(default_factory=SampleDb)
    objects: dict[str, bytes] = field(default_factory=dict)

    def read(self, digest: str) -> bytes:
        return self.objects[digest]

    def store(self, image: Image.Image, kind: str = "PNG") -> str:
        out = io.BytesIO()
        image.save(out, kind)
        digest = sha256(out.getvalue())
        self.objects[digest] = out.getvalue()
        return digest


def inputs_of(made: Scenario, definition: Definition | None = None) -> Inputs:
    return Inputs(made.sample.db, made.read, definition or load_definition(), now=NOW)


def scenario(cases: int = 12, side: int = 256, simulated: bool = True) -> Scenario:
    """`cases` per category; pictures are `side` pixels wide."""
    made = Scenario()
    rng = np.random.default_rng(7)
    _frame(made.sample)
    for category, prompt in PROMPTS.items():
        for i in range(cases):
            photo = _photo(category, i, side)
            _case(made, category, i, prompt, photo)
            for system, skill in SYSTEMS.items():
                _trial(made, category, f"{category}-{i:02d}", system, photo, skill, rng)
    _votes(made.sample, cases, rng, simulated)
    return made


def _frame(sample: SampleDb) -> None:
    for category in PROMPTS:
        sample.suite(category, synthetic=category == "typography")
    for system in SYSTEMS:
        sample.system(system, provider="studio" if system == "easel-1" else "acme")
    sample.metric(
        "clip",
        "clip_cos",
        label="Prompt alignment (CLIP)",
        low=-1,
        high=1,
        headline=True,
        caveat="The mini CLIP model means something for drawn pictures only.",
    )
    sample.metric(
        "ocr", "ocr_word_f1", label="Words right (F1)", low=0, high=1, headline=True, needs=["expected_text"]
    )
    sample.metric(
        "ocr", "ocr_cer", label="Character errors", better="lower", low=0, position=1, needs=["expected_text"]
    )
    source = {"better": "lower", "low": 0, "needs": ["mask"]}
    sample.metric("lpips", "lpips_out", label="Perceptual distance outside the mask", headline=True, **source)
    sample.metric("pixels", "de00_out", label="Colour difference outside the mask", unit="ΔE00", **source)
    masked = {"better": "higher", "low": -1, "high": 1, "needs": ["mask"]}
    sample.metric("pixels", "ssim_out_registered", label="SSIM outside the mask", position=1, **masked)
    sample.metric("edit", "clip_dir", label="Edit direction (CLIP)", **masked)
    fault = {"better": "lower", "low": 0, "high": 1, "needs": ["mask"]}
    sample.metric("faults", "fault", label="Any fault of the provider", **fault)


def _case(made: Scenario, category: str, i: int, prompt: str, photo: Image.Image) -> None:
    edit = category == "edit-preservation"
    extra = {"source_sha": made.store(photo), "mask_sha": made.store(_mask(photo.size))} if edit else {}
    made.sample.case(
        category,
        f"{category}-{i:02d}",
        prompt=prompt.format(i=i),
        cluster=f"{category}-{i - i % 2:02d}",
        task="edit" if edit else "t2i",
        expected_text=[f"OPEN {i}"] if category == "typography" else [],
        edit_type="recolour" if edit else None,
        **extra,
    )


def _trial(
    made: Scenario,
    category: str,
    case: str,
    system: str,
    photo: Image.Image,
    skill: float,
    rng: np.random.Generator,
) -> None:
    seconds = float(rng.gamma(4, 1.2 + skill))
    price = {"cost_usd": round(0.08 * skill, 4), "cost_basis": "list", "total_s": seconds}
    if system == "delta-flow" and rng.random() < 0.12:
        made.sample.trial(
            category, case, system, status="refused", stage="input", reason="flagged <b>unsafe</b>", **price
        )
        return
    if rng.random() < 0.02:
        made.sample.trial(
            category, case, system, status="failed", kind="timeout", reason="no answer", **price
        )
        return
    picture = made.store(_spoiled(photo, skill, rng))
    trial = made.sample.trial(category, case, system, image=picture, **price)
    luck = float(rng.normal(0, 0.06))
    if system == "canvas-mini" and category == "product" and rng.random() < 0.3:
        made.sample.score(trial, "clip", "clip_cos", None, "decode_error")
    else:
        made.sample.score(trial, "clip", "clip_cos", 0.2 + 0.12 * skill + luck / 3)
    if category == "typography":
        made.sample.score(trial, "ocr", "ocr_word_f1", float(rng.random() < skill + 0.1))
        made.sample.score(trial, "ocr", "ocr_cer", max(0.0, 0.6 * (1 - skill) + luck))
    if category == "edit-preservation":
        made.sample.score(trial, "lpips", "lpips_out", max(0.001, 0.35 * (1 - skill) + luck / 2))
        made.sample.score(trial, "pixels", "de00_out", max(0.01, 8 * (1 - skill) + 10 * luck))
        made.sample.score(trial, "pixels", "ssim_out_registered", min(1.0, 0.7 + 0.3 * skill + luck / 3))
        made.sample.score(trial, "edit", "clip_dir", 0.1 + 0.2 * skill + luck / 2)
        spoilt = luck > 0.05
        evidence = "mask_ignored: 12.0% of the protected part changed" if spoilt else ""
        made.sample.score(trial, "faults", "fault", float(spoilt), detail=evidence)


def _votes(sample: SampleDb, cases: int, rng: np.random.Generator, simulated: bool) -> None:
    names = list(SYSTEMS)
    sample.study("panel", names, ["alignment", "appeal"], title="Panel of May", simulated=simulated)
    for n in range(cases * 45):
        left, right = rng.choice(names, 2, replace=False)
        category = list(PROMPTS)[int(rng.integers(4))]
        case = f"{category}-{int(rng.integers(cases)):02d}"
        answers = {c: _answer(SYSTEMS[left] - SYSTEMS[right], rng) for c in ("alignment", "appeal")}
        rater = f"r{int(rng.integers(14))}"
        sample.vote("panel", f"b{n:05d}", (str(left), str(right)), (category, case), rater=rater, **answers)


def _answer(gap: float, rng: np.random.Generator) -> str:
    draw = rng.random()
    if draw < 0.14:
        return "tie"
    if draw < 0.18:
        return "both_bad"
    return "left" if rng.random() < 1 / (1 + np.exp(-4 * gap)) else "right"


def _photo(category: str, i: int, side: int) -> Image.Image:
    if category == "typography":
        return _sign(f"OPEN {i}", side)
    photo = Image.fromarray(getattr(skimage.data, PHOTOS[category])())
    shift = (i * 17) % 60
    return photo.crop((shift, shift // 2, photo.width - 60 + shift, photo.height - 30)).resize(
        (side, side * 3 // 4)
    )


def _sign(text: str, side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), (38, 52, 58))
    draw = ImageDraw.Draw(image)
    draw.rectangle(
        (side * 0.06, side * 0.3, side * 0.94, side * 0.7), outline=(214, 190, 120), width=max(2, side // 64)
    )
    draw.text(
        (side / 2, side / 2), text, fill=(240, 240, 235), anchor="mm", font=ImageFont.load_default(side // 6)
    )
    return image


def _mask(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((size[0] * 0.15, size[1] * 0.1, size[0] * 0.85, size[1] * 0.95), fill=255)
    return mask


def _spoiled(photo: Image.Image, skill: float, rng: np.random.Generator) -> Image.Image:
    blurred = photo.filter(ImageFilter.GaussianBlur(float(rng.random()) * (1 - skill) * 6))
    toned = ImageEnhance.Color(blurred).enhance(1 + float(rng.normal(0, 1 - skill)) * 0.8)
    return ImageEnhance.Brightness(toned).enhance(1 + float(rng.normal(0, 1 - skill)) * 0.3)


def paid_scenario(rehearsal: bool = False) -> Scenario:
    """Two providers that were paid, with everything that can happen between us and them.

    `north` has a queue, prices known in two ways, a refusal and a job nobody knows the end of; its model
    changed on the way. `south` answers with the picture, cannot do 4:3, and was asked too often.
    """
    made = Scenario()
    made.sample.suite("product")
    made.sample.system("north", provider="north", model="n-1", params='{"seed":"7"}', rehearsed=rehearsal)
    made.sample.system("south", provider="south", model="s-1", rehearsed=rehearsal)
    photo = _photo("product", 0, 48)
    for i in range(12):
        made.sample.case("product", f"p{i}", prompt=f"A mug, number {i}")
        _of_north(made, i, photo)
        _of_south(made, i, photo)
    return made


def _of_north(made: Scenario, i: int, photo: Image.Image) -> None:
    facts = {"cost_usd": "0.05", "cost_basis": "list" if i < 8 else "reported"}
    ends = {
        9: {"status": "refused", "kind": "content_policy", "stage": "output", "reason": "not allowed"},
        10: {"status": "unknown", "reason": "the answer was lost"},
        11: {"status": "failed", "kind": "download", "reason": "expired"},
    }
    seconds = {"total_s": 8.0 + i / 10, "submit_s": 0.4, "queue_s": 2.0, "run_s": 5.0, "download_s": 0.6}
    told = {"provider_s": 4.5, "poll_s": 1.0, "warmup": i == 0, "resumed": i == 1}
    version = {"model_version": "n-1-march" if i < 5 else "n-1-april"}
    if i in ends:
        made.sample.trial("product", f"p{i}", "north", **facts, **ends[i])
    else:
        image = made.store(photo)
        made.sample.trial("product", f"p{i}", "north", image=image, **facts, **seconds, **told, **version)


def _of_south(made: Scenario, i: int, photo: Image.Image) -> None:
    degraded = ["aspect ratio 4:3 -> 3:2"] if i % 2 else []
    busy = {"attempt": 3, "throttle_s": 12.0} if i == 4 else {}
    made.sample.trial(
        "product",
        f"p{i}",
        "south",
        image=made.store(photo),
        cost_usd="0.02",
        cost_basis="tokens",
        total_s=6.0,
        submit_s=5.9,
        download_s=0.1,
        degraded=degraded,
        **busy,
    )
