"""Train evalkit-mini, the small CLIP for studio pictures, from a fixed seed; or measure it.

    python scripts/train_mini.py --cache mini-cache --out evalkit/weights/mini/evalkit-mini.safetensors
    python scripts/train_mini.py --evaluate evalkit/weights/mini/evalkit-mini.safetensors

Scenes come in families of four: one by chance and three that differ from it in one word, so that every
batch holds the near misses that a caption must be told apart from. Beside the contrastive loss, one linear
layer reads every attribute of the scene (what stands where, in which colour, how many) from the embedding
of the picture and, with the same weights, from that of the caption; it is thrown away afterwards.
The drawn pool is kept under --cache.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from evalkit.studio.describe import describe
from evalkit.studio.drawing import draw
from evalkit.studio.kinds import KINDS
from evalkit.studio.palette import HAIR_COLOURS, OBJECT_COLOURS, SKINS, WALL_COLOURS
from evalkit.studio.sampler import CHANGES, changed, random_scene, with_other_backdrop
from evalkit.studio.scene import PLACES, Person, Scene, Sign, Thing
from evalkit.studio.vocabulary import GARMENTS, HAIR_STYLES, SIGN_KINDS, SURFACES
from evalkit.weights.torchguard import import_open_clip

SIDE = 96
FAMILY = 4
WORDINGS = 3
CHUNK = 250
SHIFT = 3
READING_WEIGHT = 0.3
CONFIG = Path(__file__).resolve().parents[1] / "evalkit" / "weights" / "mini" / "evalkit-mini.json"
SHAPES = ((1, 1), (1, 1), (4, 3), (3, 4), (16, 9), (9, 16), (3, 2), (2, 3))
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
Bytes = NDArray[np.uint8]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


# The pool of drawings ---------------------------------------------------------------------------------


def family(luck: random.Random) -> list[Scene]:
    """A scene and three that differ from it in one word; never a held-out pair of kind and colour."""
    scene = random_scene(luck)
    scenes = [scene]
    for _ in range(50):
        what = luck.choices(CHANGES, (2, 3, 4, 3))[0]
        other = with_other_backdrop(scene, luck) if luck.random() < 0.1 else changed(scene, what, luck)
        if other is not None and other not in scenes:
            scenes.append(other)
        if len(scenes) == FAMILY:
            return scenes
    return family(luck)


def small(scene: Scene, shape: tuple[int, int], seed: int, luck: random.Random) -> Bytes:
    """A drawing at some size, squashed to the model's square, sometimes through JPEG."""
    across, down = shape
    long_side = luck.choice((128, 160, 200, 256))
    scale = long_side / max(across, down)
    image = draw(scene, round(across * scale), round(down * scale), seed)
    if luck.random() < 0.25:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=luck.randint(35, 90))
        image = Image.open(buffer)
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


_FIELDS: dict[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "colour": tuple(OBJECT_COLOURS),
    "count": ("1", "2", "3", "4", "5", "6"),
}
_ONCE: dict[str, tuple[str, ...]] = {
    "wall": tuple(WALL_COLOURS),
    "surface": (*SURFACES, *WALL_COLOURS),
    "light": ("evening", "night"),
    "hair": HAIR_STYLES,
    "hair_colour": tuple(HAIR_COLOURS),
    "skin": tuple(SKINS),
    "garment": GARMENTS,
    "garment_colour": tuple(OBJECT_COLOURS),
    "hat": tuple(OBJECT_COLOURS),
    "scarf": tuple(OBJECT_COLOURS),
    "glasses": ("True",),
    "beard": ("True",),
    "mood": ("smiling", "surprised"),
    "kind": SIGN_KINDS,
    "colour": tuple(OBJECT_COLOURS),
    "letters": tuple(OBJECT_COLOURS),
}
SIZES = [
    *(len(words) + 1 for _ in PLACES for words in _FIELDS.values()),
    *(len(w) + 1 for w in _ONCE.values()),
]
"""The number of classes of each attribute; class 0 is "nothing of the sort"."""


def attributes(scene: Scene) -> list[int]:
    """The class of each attribute of `SIZES`: three per place, then all the others."""
    things = {item.place: item for item in scene.items if isinstance(item, Thing)}
    rows = [
        _class(words, getattr(things.get(place), name, None))
        for place in PLACES
        for name, words in _FIELDS.items()
    ]
    others = [item for item in scene.items if isinstance(item, Person | Sign)]
    once = next(iter(others), None)
    return rows + [
        _class(words, getattr(scene, name, None) or getattr(once, name, None))
        for name, words in _ONCE.items()
    ]


def _class(words: tuple[str, ...], value: Any) -> int:
    return words.index(str(value)) + 1 if str(value) in words else 0


def draw_chunk(number: int) -> tuple[Bytes, list[list[str]], list[list[int]]]:
    """`CHUNK` families: pictures (CHUNK * 4, 96, 96, 3), `WORDINGS` captions and the classes of each."""
    luck = random.Random(f"mini/{number}")
    pictures, captions, classes = [], [], []
    for index in range(CHUNK):
        seed = number * CHUNK + index
        shape = luck.choice(SHAPES)
        for scene in family(luck):
            pictures.append(small(scene, shape, seed, luck))
            classes.append(attributes(scene))
            captions.append([describe(scene), *(describe(scene, luck.choice) for _ in range(WORDINGS - 1))])
    return np.stack(pictures), captions, classes


def make_pool(cache: Path, chunks: int, workers: int) -> None:
    """Draw the chunks that are not in `cache` yet."""
    cache.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(chunks) if not (cache / f"{n:04}.json").is_file()]
    with ProcessPoolExecutor(workers) as pool:
        for number, (pictures, captions, classes) in zip(missing, pool.map(draw_chunk, missing), strict=True):
            np.save(cache / f"{number:04}.npy", pictures)
            words = json.dumps({"captions": captions, "classes": classes})
            (cache / f"{number:04}.json").write_text(words, encoding="utf-8")


@dataclass(frozen=True)
class Pool:
    """Pictures (N, 96, 96, 3), tokens (N, WORDINGS, context), classes (N, attributes); family by family."""

    pictures: Bytes
    tokens: torch.Tensor
    classes: torch.Tensor

    def batches(self, size: int, seed: int) -> Iterator[Batch]:
        """Endless batches of pictures (0-1, NCHW), tokens and classes, whole families at a time."""
        rng = np.random.default_rng(seed)
        families = len(self.pictures) // FAMILY
        while True:
            order = rng.permutation(families)
            for start in range(0, families - size // FAMILY + 1, size // FAMILY):
                chosen = order[start : start + size // FAMILY]
                rows = torch.from_numpy((chosen[:, None] * FAMILY + np.arange(FAMILY)).ravel())
                wording = torch.from_numpy(rng.integers(0, WORDINGS, len(rows)))
                images = torch.from_numpy(self.pictures[rows.numpy()]).permute(0, 3, 1, 2).float() / 255
                yield images, self.tokens[rows, wording].long(), self.classes[rows]


def load_pool(cache: Path, chunks: int, tokenizer: Any) -> Pool:
    """Read the pool and tokenize its captions once."""
    pictures = np.concatenate([np.load(cache / f"{n:04}.npy") for n in range(chunks)])
    told = [json.loads((cache / f"{n:04}.json").read_text(encoding="utf-8")) for n in range(chunks)]
    texts = [text for chunk in told for options in chunk["captions"] for text in options]
    classes = torch.tensor([row for chunk in told for row in chunk["classes"]])
    return Pool(pictures, tokenizer(texts).int().view(len(pictures), WORDINGS, -1), classes)


# Training ---------------------------------------------------------------------------------------------


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift, light, blur and noise by chance; then the model's normalisation."""
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    wide = functional.pad(images, (SHIFT,) * 4, mode="replicate")
    steps = torch.randint(0, 2 * SHIFT + 1, (n, 2), generator=generator).tolist()
    moved = [wide[i, :, y : y + SIDE, x : x + SIDE] for i, (y, x) in enumerate(steps)]
    images = torch.stack(moved)
    images = images * uniform(0.9, 1.1, n, 1, 1, 1) + uniform(-0.04, 0.04, n, 1, 1, 1)
    blurred = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    images = torch.lerp(images, blurred, uniform(-0.6, 1.0, n, 1, 1, 1).clamp(min=0))
    bank = torch.randn((16, 3, SIDE, SIDE), generator=generator)
    noise = bank[torch.randint(0, 16, (n,), generator=generator)]
    noise *= uniform(-0.03, 0.04, n, 1, 1, 1).clamp(min=0)
    return normalised((images + noise).clamp(0, 1))


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Pictures (0-1, NCHW) in the units the model sees."""
    return (images - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def optimizer_for(model: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    """AdamW that lets norms, biases, the temperature and the token table grow freely."""
    free: list[torch.nn.Parameter] = []
    held: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (free if parameter.ndim < 2 or "embedding" in name else held).append(parameter)
    groups = [{"params": free, "weight_decay": 0.0}, {"params": held, "weight_decay": 0.05}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def schedule(step: int, steps: int) -> float:
    """Learning rate factor: a short warm-up, then half a cosine down to 1 %."""
    warm = min(150, steps // 10 + 1)
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.495 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def loss_of(model: Any, reader: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, float]:
    """Contrastive loss plus the reading loss, and the share of pictures that find their caption."""
    images, tokens, classes = batch
    with torch.autocast("cpu", torch.bfloat16):
        seen = model.encode_image(images.contiguous(memory_format=torch.channels_last))
    seen, read = seen.float(), model.encode_text(tokens)
    rays = functional.normalize(seen, dim=1), functional.normalize(read, dim=1)
    logits = model.logit_scale.exp() * rays[0] @ rays[1].T
    target = torch.arange(len(logits))
    contrast = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    reading = sum((misread(reader(10 * ray), classes) for ray in rays), torch.zeros(()))
    return contrast + READING_WEIGHT * reading, float((logits.argmax(1) == target).float().mean())


def misread(scores: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Mean over the batch of the cross-entropy of the attributes, summed over a tenth of their number."""
    parts = torch.split(scores, SIZES, dim=1)
    losses = [functional.cross_entropy(part, classes[:, i]) for i, part in enumerate(parts)]
    return torch.stack(losses).sum() / 10


def train(pool: Pool, options: argparse.Namespace) -> Any:
    """The trained model; prints a line every 50 steps."""
    torch.manual_seed(options.seed)
    model, _ = build()
    model = model.to(memory_format=torch.channels_last).train()
    reader = torch.nn.Linear(model.text_projection.shape[1], sum(SIZES))
    optimizer = optimizer_for(torch.nn.ModuleList([model, reader]), options.rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, options.steps))
    generator = torch.Generator().manual_seed(options.seed)
    batches = pool.batches(options.batch, options.seed)
    started, cpu, hits = time.monotonic(), time.process_time(), 0.0
    for step in range(1, options.steps + 1):
        images, tokens, classes = next(batches)
        loss, hit = loss_of(model, reader, (augment(images, generator), tokens, classes))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        model.logit_scale.data.clamp_(max=math.log(100))
        hits = hit if step == 1 else 0.95 * hits + 0.05 * hit
        if step % 50 == 0:
            clock = f"{time.monotonic() - started:.0f} s, {time.process_time() - cpu:.0f} CPU-s"
            print(f"step {step}: loss {loss.item():.3f}, batch hits {hits:.3f}, {clock}", flush=True)
        if step % 500 == 0:
            save(model, options.out)
    return model.eval()


def build(weights: Path | None = None) -> tuple[Any, Any]:
    """The model, with `weights` or freshly initialised, and its tokenizer."""
    open_clip = import_open_clip()
    open_clip.add_model_config(CONFIG)
    model = open_clip.create_model(
        CONFIG.stem, pretrained=str(weights) if weights else None, load_weights=bool(weights)
    )
    return model.eval(), open_clip.get_tokenizer(CONFIG.stem)


def save(model: Any, path: Path) -> None:
    """Half-precision safetensors; open_clip loads them into single precision."""
    from safetensors.torch import save_file

    state = {name: _halved(value) for name, value in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)


def _halved(value: torch.Tensor) -> torch.Tensor:
    value = value.detach().contiguous()
    return value.half() if value.is_floating_point() else value


# Measuring --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Shares of held-out scenes judged right."""

    scenes: int
    of_32: float
    changed: dict[str, float]

    def lines(self) -> list[str]:
        """The figures as lines of text."""
        head = [f"held-out scenes: {self.scenes}", f"right caption of 32: {self.of_32:.1%}"]
        return head + [f"against one {what} changed: {share:.1%}" for what, share in self.changed.items()]


def measure(model: Any, tokenizer: Any, scenes: int = 640, side: int = 512) -> Figures:
    """Judge `scenes` held-out scenes, drawn with `side` px and squashed to the model's square.

    Each has a pair of kind and colour that training never showed. `changed` compares the picture with its
    own caption and with one that differs in one word.
    """
    luck = random.Random("mini/held-out")
    held_out = [random_scene(luck, held_out=True) for _ in range(scenes)]
    seen = _encode_pictures(model, held_out, side)
    own = _encode_texts(model, tokenizer, [describe(scene, luck.choice) for scene in held_out])
    groups = scenes // 32
    logits = seen[: groups * 32].view(groups, 32, -1) @ own[: groups * 32].view(groups, 32, -1).mT
    of_32 = float((logits.argmax(2) == torch.arange(32)).float().mean())
    shares: dict[str, float] = {}
    for what in CHANGES:
        pairs = [(i, changed(scene, what, luck)) for i, scene in enumerate(held_out)]
        kept = [(i, other) for i, other in pairs if other is not None]
        rows = torch.tensor([i for i, _ in kept])
        right = _encode_texts(model, tokenizer, [describe(held_out[i]) for i, _ in kept])
        wrong = _encode_texts(model, tokenizer, [describe(other) for _, other in kept])
        margin = (seen[rows] * (right - wrong)).sum(1)
        shares[what] = float((margin > 0).float().mean())
    return Figures(scenes, of_32, shares)


@torch.inference_mode()
def _encode_pictures(model: Any, scenes: list[Scene], side: int) -> torch.Tensor:
    rows = []
    for seed, scene in enumerate(scenes):
        image = draw(scene, side, side * 3 // 4 if seed % 3 == 0 else side, 1_000_000 + seed)
        rows.append(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    pictures = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
    encoded: torch.Tensor = model.encode_image(normalised(pictures), normalize=True)
    return encoded


@torch.inference_mode()
def _encode_texts(model: Any, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    encoded: torch.Tensor = model.encode_text(tokenizer(texts), normalize=True)
    return encoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cache", type=Path, default=Path("mini-cache"), help="folder for the drawn pool")
    parser.add_argument("--out", type=Path, default=CONFIG.with_suffix(".safetensors"))
    parser.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="measure these weights and stop")
    parser.add_argument("--chunks", type=int, default=80, help=f"pool size, in chunks of {CHUNK * FAMILY}")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.workers)
    if options.evaluate:
        print("\n".join(measure(*build(options.evaluate)).lines()))
        return
    make_pool(options.cache, options.chunks, options.workers)
    _, tokenizer = build()
    model = train(load_pool(options.cache, options.chunks, tokenizer), options)
    save(model, options.out)
    print("\n".join(measure(*build(options.out)).lines()))


if __name__ == "__main__":
    main()
