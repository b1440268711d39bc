"""The studio: a small language for pictures and the pen that draws them. Needs Pillow and numpy only.

`parse` reads a prompt as a `Scene`, `describe` writes one; `parse_edit` and `apply` change it; `draw` makes
the picture. Everything is a pure function of its arguments.
"""

from __future__ import annotations

from evalkit.studio.describe import describe
from evalkit.studio.drawing import RECIPE, draw
from evalkit.studio.edits import Edit, apply
from evalkit.studio.grammar import parse
from evalkit.studio.instructions import parse_edit
from evalkit.studio.picture import Drawn, encode, read_scene, seed_of, studio_source
from evalkit.studio.scene import Person, Scene, Sign, Thing
from evalkit.studio.words import NotUnderstood

__all__ = [
    "RECIPE",
    "Drawn",
    "Edit",
    "NotUnderstood",
    "Person",
    "Scene",
    "Sign",
    "Thing",
    "apply",
    "describe",
    "draw",
    "encode",
    "parse",
    "parse_edit",
    "read_scene",
    "seed_of",
    "studio_source",
]
