"""What an importer is: a small class that reads one foreign format and says whose it is.

An importer yields `Record`s and `Skipped`s, one for each record of the files, and knows nothing of folders
that are written, of names that must be unique or of licences that must be accepted: that is for `write`.
Adding a format is adding a file: docs/extending/suite-importers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.suite.importers.inputs import Given
from evalkit.types import Case

Bits = NDArray[np.bool_]
RGB = NDArray[np.uint8]
Bytes = Callable[[], bytes]
"""The encoded picture, read when it is needed and not before. Raises `InvalidInput`."""


class MaskUnfit(InvalidInput):
    """A mask that cannot be used; the case is imported without it, and the message says why."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms the texts and pictures of a format may be used.

    `id` is an SPDX identifier or `LicenseRef-NAME`. A licence that is not `open` has to be accepted by
    name, and the suite is marked as one that must not be passed on. `terms` is a sentence for the person
    who decides.
    """

    id: str
    open: bool
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: a file, and its line (of texts) or row (of tables), from 1; 0 is the whole."""

    file: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a case.

    `origin` is the id under which results for it are published. `case.id` may be any text: it is made fit and
    unique later; `source`, `mask` and `aspect_ratio` of an edit are filled in when its pictures are written.
    `categories` are the evalkit categories it is made for, besides `other`, which takes everything. `mask`
    gets the source as H x W x 3 uint8 and returns H x W booleans, True where the picture may change; it
    raises `MaskUnfit`, and `case.keep` goes with it. `target` is what a person made of the same
    instruction. `notes` are things worth counting.
    """

    origin: str
    case: Case
    place: Place
    categories: tuple[str, ...] = ()
    source: Bytes | None = None
    mask: Callable[[RGB], Bits] | None = None
    target: Bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that cannot be a case, and why; reasons that are the same are counted together."""

    origin: str
    place: Place
    reason: str


class Importer:
    """Base class. Subclasses set the class variables and implement `read`.

    `category` is what the whole becomes unless another is asked for. `version` is raised whenever the same
    files would become other cases.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str] = "1"
    licence: ClassVar[Licence]
    category: ClassVar[str] = "other"
    size: ClassVar[str] = ""
    needs: ClassVar[str] = ""
    origin: ClassVar[str] = ""
    about: ClassVar[str] = ""

    def terms(self, given: Given) -> Licence:
        """The licence of these very files; for formats whose parts have different ones."""
        del given
        return self.licence

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        """Every record of the files, in their order. Files that are not of this format go to `given`."""
        raise NotImplementedError
