"""Where the picture that an edit starts from lies, and its bytes.

Three kinds: `skimage:NAME` (a photograph that scikit-image's wheel carries, from an allow-list of those that
are in the public domain or CC0), `studio:PROMPT` (drawn by the built-in studio), or a file in the suite's
folder. The bytes are the file's own; nothing is re-encoded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from evalkit.errors import EvalkitError, InvalidInput
from evalkit.ids import sha256
from evalkit.images import ImageProblem, to_pil
from evalkit.suite.fields import did_you_mean
from evalkit.types import Case, ImageInput, Suite

MAX_BYTES = 64 * 1024 * 1024
"""Input files above this are refused unread: several times the largest upload any provider takes."""

KEPT = 32
"""How many pictures one process keeps in memory; a suite rarely uses more sources at a time."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture of scikit-image's wheel, and why it may be used and shown."""

    file: str
    licence: str


PHOTOGRAPHS: Mapping[str, Photograph] = {
    "astronaut": Photograph("astronaut.png", "public domain; NASA Great Images, Eileen Collins"),
    "brick": Photograph("brick.png", "CC0; CC0Textures, Bricks25"),
    "camera": Photograph("camera.png", "CC0; Lav Varshney"),
    "chelsea": Photograph("chelsea.png", "CC0; Stefan van der Walt"),
    "clock": Photograph("clock_motion.png", "public domain; Stefan van der Walt"),
    "coffee": Photograph("coffee.png", "CC0; Rachel Michetti, courtesy of Pikolo Espresso Bar"),
    "coins": Photograph("coins.png", "no known copyright restrictions; Brooklyn Museum Collection"),
    "grass": Photograph("grass.png", "CC0; DeviantArt, linolafett, Grass 01"),
    "gravel": Photograph("gravel.png", "CC0; CC0Textures, Gravel04"),
    "horse": Photograph("horse.png", "CC0; Andreas Preuss, openclipart"),
    "hubble_deep_field": Photograph("hubble_deep_field.jpg", "public domain; NASA, HubbleSite 2012-37"),
    "retina": Photograph("retina.jpg", "CC0; Mikael Haggstrom, Wikimedia Commons"),
    "rocket": Photograph("rocket.jpg", "public domain; SpaceX Photos, DSCOVR launch"),
    "text": Photograph("text.png", "public domain; Wikipedia, Corner.png"),
}


class SourceProblem(InvalidInput):
    """A source that cannot be used; the message says why, in words fit for a problem list."""


def resolve_source(suite: Suite, case: Case) -> ImageInput | None:
    """The picture that `case` edits, None for a case without one. Raises `SourceProblem`."""
    return None if case.source is None else open_source(Path(suite.root), case.source)


def open_source(root: Path, reference: str) -> ImageInput:
    """A source by the text that stands in `cases.jsonl`. Raises `SourceProblem`."""
    kind, colon, rest = reference.partition(":")
    if colon and kind == "skimage":
        return _skimage(rest)
    if colon and kind == "studio":
        return _studio(rest.strip())
    path = input_path(root, reference)
    try:
        stat = path.stat()
        return _file(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise SourceProblem(f"{reference!r} cannot be read: {error.strerror}") from error


def input_path(root: Path, reference: str) -> Path:
    """The file that `reference` names inside the suite's folder. Raises `SourceProblem`."""
    try:
        return _inside(root, reference)
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceProblem(f"{reference!r} cannot be the name of a file: {error}") from error


def _inside(root: Path, reference: str) -> Path:
    if PurePosixPath(reference).is_absolute() or PureWindowsPath(reference).anchor or "\\" in reference:
        raise SourceProblem(f"{reference!r} must be relative to the suite's folder, with '/' between folders")
    home = root.resolve()
    path = (home / reference).resolve()
    if not path.is_relative_to(home):
        raise SourceProblem(f"{reference!r} lies outside the suite's folder; copy the file into inputs/")
    if not path.is_file():
        raise SourceProblem(f"{reference!r} is missing from the suite's folder")
    if path.stat().st_size > MAX_BYTES:
        raise SourceProblem(f"{reference!r} is larger than {MAX_BYTES // 2**20} MiB")
    return path


@lru_cache(maxsize=KEPT)
def _skimage(name: str) -> ImageInput:
    photograph = PHOTOGRAPHS.get(name)
    if photograph is None:
        guess = did_you_mean(name, PHOTOGRAPHS)
        raise SourceProblem(f"skimage:{name} is not among the photographs that are free to use{guess}")
    return _checked((_skimage_folder() / photograph.file).read_bytes(), f"skimage:{name}")


def _skimage_folder() -> Path:
    """Found without importing scikit-image, whose `data` package would look for a downloader."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SourceProblem("skimage: sources need scikit-image: pip install scikit-image")
    return Path(spec.submodule_search_locations[0]) / "data"


@lru_cache(maxsize=KEPT)
def _studio(prompt: str) -> ImageInput:
    from evalkit.studio import studio_source

    try:
        data = studio_source(prompt)
    except EvalkitError as error:
        raise SourceProblem(f"studio:{prompt} cannot be drawn: {error.message}", error.hint) from error
    return _checked(data, f"studio:{prompt}")


@lru_cache(maxsize=KEPT)
def _file(path: Path, mtime_ns: int, size: int) -> ImageInput:
    """The stamp and the size are part of the cache's key: a file that changed is read again."""
    del mtime_ns, size
    return _checked(path.read_bytes(), repr(path.name))


def _checked(data: bytes, name: str) -> ImageInput:
    try:
        width, height = to_pil(data).size
    except ImageProblem as problem:
        raise SourceProblem(f"{name}: {problem.message}") from problem
    return ImageInput(data, sha256(data), width, height)
