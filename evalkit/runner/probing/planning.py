"""A step as a plan of one trial, so that the code of every run carries it out.

It knows the picture that edits start from, and the round of questions a step belongs to. What is asked is in
`steps`.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from decimal import Decimal

from PIL import Image, ImageDraw

from evalkit.clock import now
from evalkit.ids import digest, sha256
from evalkit.providers.base import Settings
from evalkit.providers.catalogued import Catalogued, catalogued
from evalkit.remote.spec import Spec
from evalkit.runner.plan import Inputs, make_request, question
from evalkit.runner.probing.steps import SOURCE, Step, bent
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, Trials, plan_content
from evalkit.store import Workspace
from evalkit.types import ImageInput, System

SIDE = 1024


@dataclass(frozen=True, slots=True)
class Planned:
    """A step, the plan that carries it out, and the provider that is asked."""

    step: Step
    plan: Plan
    provider: Catalogued

    @property
    def trial(self) -> str:
        """The id of its one trial."""
        return self.plan.trials[0][0]

    @property
    def worst(self) -> Decimal:
        """The most it can cost, in US dollars."""
        return self.plan.worst_usd


@dataclass(frozen=True, slots=True)
class Round:
    """What the steps of one probe share. `number` tells the rounds of `--again` apart."""

    spec: Spec
    asked: System
    settings: Settings
    number: int
    source: ImageInput

    def plan(self, step: Step) -> Planned:
        """Raises `UsageError` where nobody knows what the step costs."""
        provider = catalogued(bent(self.spec, step))(step.system(self.asked), self.settings)
        source = self.source if step.case.source else None
        facts = _suite(self.number, step)
        case = PlannedCase(facts.name, step.case, source.sha256 if source else None)
        trial = _trial(case, provider)
        quote = provider.quote(make_request(case, provider, 0, Inputs(source, None), trial))
        system = PlannedSystem(provider.system, False, None, quote.expected, quote.worst, quote.basis)
        draft = Plan("", now(), (facts,), (case,), (system,), Trials([(trial, 0, 0, 0)]))
        content = digest(plan_content(draft))
        name = f"r{self.number}-{step.name}-{content[:8]}"
        return Planned(step, replace(draft, run=name, digest=content), provider)


def newest_round(workspace: Workspace) -> int:
    """The number of the newest round that asked anything; 0 if there was none."""
    found = (re.match(r"r(\d+)-", run) for run in workspace.run_ids())
    return max((int(match[1]) for match in found if match), default=0)


def source_picture(workspace: Workspace) -> ImageInput:
    """The picture that edits start from: that of the first probe, as other bytes were another trial."""
    path = workspace.root / SOURCE
    data = path.read_bytes() if path.exists() else _mug()
    return ImageInput(data, sha256(data), SIDE, SIDE)


def _suite(number: int, step: Step) -> SuiteFacts:
    return SuiteFacts(
        name=f"probe-{number}",
        version="1.0.0",
        digest=digest([step.name, step.prompt, step.ratio]),
        category="probe",
        licence="CC0-1.0",
        description="Questions to a provider",
        synthetic=False,
    )


def _trial(planned: PlannedCase, provider: Catalogued) -> str:
    case, ask = planned.case, provider.ask(planned.case)
    return question(planned, provider, ask).trial(0, provider.fingerprint(planned.suite, case, 0))


def _mug() -> bytes:
    picture = Image.new("RGB", (SIDE, SIDE), (236, 233, 226))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 720, SIDE, SIDE), (250, 250, 248))
    draw.ellipse((600, 420, 800, 680), outline=(176, 32, 36), width=44)
    draw.rounded_rectangle((300, 340, 680, 780), 40, (200, 40, 44))
    draw.ellipse((300, 300, 680, 390), (226, 88, 84), outline=(176, 32, 36), width=8)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
