"""A small finished run of studio pictures, a judge that is a fake, and what a judging left behind."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.fakes import FakeServer
from evalkit.judge.judges import parse_judge
from evalkit.judge.session import JudgeReport, Places, Session, Wish
from evalkit.providers.base import Settings
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import Plan, load_plan, save_plan
from evalkit.store import Record, Workspace, read_records
from evalkit.studio import Drawn, Scene, apply, draw, encode, parse, parse_edit, seed_of
from evalkit.types import Case, Json, Suite

JUDGE = "openai-chat:gpt-4.1-mini"
FACE = "openai-chat"
SIZE = 96
CUP, BALL = "a red mug on a wooden table", "a blue ball, against a mint wall"
BEFORE, EDIT = (
    "a green vase on the left and a red mug on the right",
    "make the mug blue, keep everything else",
)
QUESTIONS: tuple[dict[str, Json], ...] = (
    {"kind": "question", "id": "mug", "text": CUP},
    {"kind": "question", "id": "blue", "text": "a blue mug on a wooden table", "parents": ["mug"]},
    {"kind": "faces", "n": 0},
)
GOOD = {"cup": CUP, "ball": BALL}
BAD = {"cup": "a yellow mug on a wooden table", "ball": BALL}
"""What the second system made of each case: of the ball the same thing, a little differently."""


def picture(text: str, seed: int) -> bytes:
    scene = parse(text)
    return _drawn(scene, seed)


def _drawn(scene: Scene, seed: int) -> bytes:
    return encode(draw(scene, SIZE, SIZE, seed), Drawn(scene, seed))


def finished_run(root: Path) -> Path:
    """A workspace with one run: two pictures and an edit, by `good` and by `bad`."""
    suite = root / "suite"
    source = picture(BEFORE, seed_of(BEFORE))
    edited = _drawn(apply(parse_edit(EDIT), parse(BEFORE)), seed_of(BEFORE))
    files = {
        "suite/source.png": source,
        **{f"good/{name}.png": picture(text, 1) for name, text in GOOD.items()},
        **{f"bad/{name}.png": picture(text, 2) for name, text in BAD.items()},
        "good/blue.png": edited,
        "bad/blue.png": source,
    }
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    cases = (
        Case("cup", CUP, cluster="cup", checks=QUESTIONS),
        Case("ball", BALL, cluster="ball"),
        Case("blue", EDIT, "edit", source="source.png", cluster="blue"),
    )
    made = Suite("shelf", "1", "product", "CC0-1.0", "x", str(suite), cases)
    workspace = Workspace.open(root / "workspace")
    systems = parse_systems([f"good=folder:{root / 'good'}", f"bad=folder:{root / 'bad'}"])
    plan, providers = build_plan([made], systems, keep=workspace.objects.put)
    plan = save_plan(workspace, plan)
    assert execute(workspace, plan, providers).exit_code == 0
    return workspace.root


@dataclass
class Bench:
    """A copy of the finished run, and the fake that judges it."""

    workspace: Workspace
    fakes: FakeServer

    @classmethod
    def make(cls, finished: Path, root: Path, fakes: FakeServer) -> Bench:
        shutil.copytree(finished, root / "workspace")
        return cls(Workspace.open(root / "workspace"), fakes)

    @property
    def plan(self) -> Plan:
        return load_plan(self.workspace, self.workspace.run_id(None))

    def session(self, *kinds: str, judge: str = JUDGE, **wish: Any) -> Session:
        settings = Settings(**{n: wish.pop(n) for n in ("assume_price", "deadline") if n in wish})
        asked = Wish(parse_judge(judge), kinds or ("rubric",), **{"repeats": 0, **wish})  # type: ignore[arg-type]
        return Session(Places(self.workspace, self.workspace), self.plan, asked, settings)

    def judge(self, *kinds: str, budget: str | None = "5", **how: Any) -> JudgeReport:
        options = {n: how.pop(n) for n in ("retry_failed", "resubmit_unknown", "concurrency") if n in how}
        money = Decimal(budget) if budget is not None else None
        return self.session(*kinds, **how).run(RunOptions(budget=money, **options))

    def scores(self) -> list[Record]:
        return [record for record in self._facts(self.workspace.scores) if record["type"] == "score"]

    def values(self, output: str) -> dict[tuple[str, str], tuple[float | None, str | None]]:
        """The newest value and reason of an output, by system and case."""
        names = {trial.id: (trial.system, trial.case) for trial, _, _ in self.plan}
        found = {}
        for record in self.scores():
            for value in record["values"]:
                if value["output"] == output:
                    found[names[record["trial"]]] = value["value"], value["reason"]
        return found

    def facts(self, kind: str) -> list[Record]:
        return [record for record in self._facts(self.workspace.judgements) if record["type"] == kind]

    def asked(self) -> Counter[str]:
        """How often each question was billed; the fake marks two that differ in their pictures."""
        return Counter(job.prompt for job in self.fakes.ledger())

    def _facts(self, folder: Path) -> list[Record]:
        return [record for path in sorted(folder.glob("*.jsonl")) for record in read_records(path)]
