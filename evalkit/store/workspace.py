"""The folder where everything a user makes lives, and the names of what is in it.

    workspace.json               format version, written once
    runs/<run-id>/plan.json      what was planned: suites, cases, systems
    runs/<run-id>/trials.csv     and the trials
    runs/<run-id>/journal.jsonl  what happened
    objects/ab/abcdef...         images by sha256
    scores/<writer>.jsonl        metric values
    studies/<study>/study.json   what raters are asked, and about which pairs
    votes/<study>/<writer>.jsonl what they answered
    judgements/<writer>.jsonl    pairs and anchors that a vision-language model has judged
    judging/                     a workspace of its own, for the questions it was asked
    hooks/<provider>.jsonl       jobs that a webhook said have ended
    locks/                       one file per account at work
    rehearsal/                   a workspace of its own, for rehearsed runs
    evalkit.duckdb               derived; may be deleted at any time
    cache/                       derived: embeddings of pictures; may be deleted at any time
    reports/

The workspace knows paths and its own version; it does not read or write what is in the files.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import InvalidInput, UnknownName, WorkspaceError, WorkspaceTooNew
from evalkit.ids import canonical
from evalkit.store.disk import write_atomically
from evalkit.store.objects import ObjectStore

FORMAT = 1
DEFAULT = "evalkit-workspace"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below one root. Make it with `Workspace.open`, which checks the version."""

    root: Path

    @staticmethod
    def open(path: str | Path | None = None, *, create: bool = True) -> Workspace:
        """The workspace at `path`, else at $EVALKIT_WORKSPACE, else ./evalkit-workspace.

        Raises `WorkspaceError` if there is none and `create` is false, `WorkspaceTooNew` if a newer
        evalkit wrote it.
        """
        root = Workspace.place(path)
        workspace = Workspace(root)
        marker = root / "workspace.json"
        if marker.exists():
            workspace._check_format(marker)
        elif not create:
            raise WorkspaceError(
                f"there is no workspace at {root}",
                "Make one with: evalkit demo, or evalkit run SUITE --system ...",
            )
        else:
            workspace._start(marker)
        return workspace

    @staticmethod
    def place(path: str | Path | None = None) -> Path:
        """Where `open` would look; nothing is made."""
        return Path(path or os.environ.get("EVALKIT_WORKSPACE") or DEFAULT).expanduser().resolve()

    @property
    def objects(self) -> ObjectStore:
        return ObjectStore(self.root / "objects")

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def scores(self) -> Path:
        return self.root / "scores"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    @property
    def votes(self) -> Path:
        return self.root / "votes"

    @property
    def judgements(self) -> Path:
        return self.root / "judgements"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def database(self) -> Path:
        return self.root / "evalkit.duckdb"

    def run_ids(self) -> list[str]:
        """Every run that has a plan, oldest first."""
        plans = sorted(self.runs.glob("*/plan.json"), key=lambda p: (p.stat().st_mtime_ns, p.parent.name))
        return [plan.parent.name for plan in plans]

    def run_id(self, name: str | None = None) -> str:
        """The run of that name (a unique beginning is enough); without a name, the newest.

        Raises `UnknownName`, or `WorkspaceError` if there is no run at all.
        """
        known = self.run_ids()
        if not known:
            raise WorkspaceError(
                f"there is no run in {self.root} yet", "Start one: evalkit run SUITE --system ..."
            )
        if name is None:
            return known[-1]
        matches = [run for run in known if run == name] or [run for run in known if run.startswith(name)]
        if len(matches) != 1:
            raise UnknownName("run", name, known)
        return matches[0]

    def study_ids(self) -> list[str]:
        """Every study, by name."""
        return sorted(path.parent.name for path in self.studies.glob("*/study.json"))

    def _check_format(self, marker: Path) -> None:
        try:
            found = json.loads(marker.read_bytes())["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"{marker} is not a workspace marker",
                "Restore it from a backup, or choose another --workspace.",
            ) from error
        if not isinstance(found, int) or found > FORMAT:
            raise WorkspaceTooNew(
                f"the workspace {self.root} has format {found}; this evalkit reads up to {FORMAT}",
                "Upgrade evalkit: pip install --upgrade evalkit",
            )

    def _start(self, marker: Path) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise WorkspaceError(f"{self.root} is not a folder", "Choose another --workspace.")
        write_atomically(marker, canonical({"format": FORMAT}) + b"\n")
