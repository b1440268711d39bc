"""What a judge is asked about the pictures of a run: one `Question` for each thing that is sent.

It knows which pictures a run has and puts each question once, however many trials share a picture. What an
answer means is for `replies`, what it costs for `planning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from evalkit.errors import UsageError
from evalkit.ids import digest
from evalkit.images import read_header
from evalkit.judge.graph import Node, read_graph
from evalkit.judge.templates import Template, template
from evalkit.runs import Plan, PlannedCase, read_generations
from evalkit.store import Workspace

Kind = Literal["yes-no", "rubric", "pairs"]
KINDS: tuple[Kind, ...] = ("yes-no", "rubric", "pairs")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a judge is shown it: by the sha256 of its file, and its size in pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Question:
    """One request: a filled template and the pictures in the order in which they are shown.

    `occasion` tells apart what is asked again on purpose: the anchors of each judging.
    """

    template: Template
    prompt: str
    pictures: tuple[Shown, ...]
    occasion: str = ""

    @property
    def text(self) -> str:
        return self.template.fill(self.prompt)

    @property
    def item(self) -> str:
        """What is asked, whenever it is asked: template, text and pictures."""
        return digest([self.template.digest, self.text, [shown.sha256 for shown in self.pictures]])

    @property
    def key(self) -> str:
        """The same with the occasion; one question has one key."""
        return digest([self.item, self.occasion])


@dataclass(frozen=True, slots=True)
class Candidate:
    """The first picture of one trial, which is the one that leaderboards use."""

    trial: str
    replicate: int
    system: str
    planned: PlannedCase
    picture: Shown
    source: Shown | None = None

    @property
    def edit(self) -> bool:
        return self.planned.case.task == "edit" and self.source is not None


@dataclass(frozen=True, slots=True)
class Single:
    """One question about one candidate."""

    candidate: Candidate
    key: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The questions of a candidate's case, in an order in which parents come first; keys by node."""

    candidate: Candidate
    nodes: tuple[Node, ...]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two candidates of one case, `a` before `b` by system. The keys are empty for the same picture twice."""

    a: Candidate
    b: Candidate
    forward: str = ""
    backward: str = ""


@dataclass(slots=True)
class Sheet:
    """Everything that is asked about a run; `questions` by key."""

    questions: dict[str, Question] = field(default_factory=dict)
    yes_no: list[Single] = field(default_factory=list)
    graphs: list[Graph] = field(default_factory=list)
    rubric: list[Single] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    of: dict[str, Candidate] = field(default_factory=dict)
    """A candidate that each question is about; anchors have none."""

    def put(self, question: Question, about: Candidate | None = None) -> str:
        """Ask this; its key."""
        key = question.key
        self.questions.setdefault(key, question)
        if about is not None:
            self.of.setdefault(key, about)
        return key


def candidates(
    workspace: Workspace, plan: Plan, cases: Sequence[str] = (), limit: int | None = None
) -> list[Candidate]:
    """What a run has delivered: all of it, or of some `cases`, or of the first `limit` cases.

    Raises `UsageError` for a case that the run does not have.
    """
    wanted = _wanted(plan, cases, limit)
    made = read_generations(workspace)
    sizes = _Sizes(workspace)
    found = []
    for trial, planned, system in plan:
        generation = made.get(trial.id)
        if generation is None or not generation.images or (planned.suite, planned.case.id) not in wanted:
            continue
        image = generation.images[0]
        picture = Shown(image.sha256, image.width, image.height)
        source = sizes.of(planned.source_sha)
        found.append(Candidate(trial.id, trial.replicate, system.name, planned, picture, source))
    return found


def ask_about(found: Iterable[Candidate], kinds: Sequence[Kind]) -> Sheet:
    """Every question of these kinds about these pictures."""
    sheet, everything = Sheet(), list(found)
    for candidate in everything:
        if "yes-no" in kinds:
            _ask_yes_no(sheet, candidate)
        if "rubric" in kinds:
            sheet.rubric.append(Single(candidate, sheet.put(_rubric(candidate), candidate)))
    if "pairs" in kinds:
        sheet.pairs += [_ask_pair(sheet, a, b) for a, b in _pairs(everything)]
    return sheet


def read_kinds(text: str) -> tuple[Kind, ...]:
    """`yes-no,rubric,pairs` as kinds. Raises `UsageError`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is no kind of question" if unknown else "no kind of question is named"
        raise UsageError(wrong, f"There are {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in names)


class _Sizes:
    """Pictures that edits start from, each looked at once."""

    def __init__(self, workspace: Workspace) -> None:
        self._objects = workspace.objects
        self._known: dict[str, Shown] = {}

    def of(self, sha: str | None) -> Shown | None:
        if sha is None:
            return None
        if sha not in self._known:
            header = read_header(self._objects.get(sha))
            self._known[sha] = Shown(sha, header.width, header.height)
        return self._known[sha]


def _wanted(plan: Plan, cases: Sequence[str], limit: int | None) -> set[tuple[str, str]]:
    every = [(planned.suite, planned.case.id) for planned in plan.cases]
    names = {case for _, case in every}
    missing = [name for name in cases if name not in names]
    if missing:
        raise UsageError(
            f"the run has no case {missing[0]!r}", f"For example: {', '.join(sorted(names)[:5])}."
        )
    chosen = [one for one in every if not cases or one[1] in cases]
    return set(chosen if limit is None else chosen[:limit])


def _ask_yes_no(sheet: Sheet, candidate: Candidate) -> None:
    case = candidate.planned.case
    asked = template("yes-no-edit" if candidate.edit else "yes-no")
    question = Question(asked, case.prompt, _shown(candidate))
    sheet.yes_no.append(Single(candidate, sheet.put(question, candidate)))
    nodes = read_graph(case)
    if nodes:
        about = (candidate.picture,)
        keys = {
            node.id: sheet.put(Question(template("question"), node.text, about), candidate) for node in nodes
        }
        sheet.graphs.append(Graph(candidate, nodes, keys))


def _rubric(candidate: Candidate) -> Question:
    asked = template("rubric-edit" if candidate.edit else "rubric")
    return Question(asked, candidate.planned.case.prompt, _shown(candidate))


def _shown(candidate: Candidate) -> tuple[Shown, ...]:
    """An edit is shown with its source, both at the size they have."""
    return (
        (candidate.source, candidate.picture) if candidate.edit and candidate.source else (candidate.picture,)
    )


def _pairs(found: Sequence[Candidate]) -> Iterator[tuple[Candidate, Candidate]]:
    """Any two systems' pictures of one case and replicate."""
    groups: dict[tuple[str, str, int], list[Candidate]] = {}
    for one in found:
        groups.setdefault((one.planned.suite, one.planned.case.id, one.replicate), []).append(one)
    for group in groups.values():
        yield from combinations(sorted(group, key=lambda one: one.system), 2)


def _ask_pair(sheet: Sheet, a: Candidate, b: Candidate) -> Pair:
    if a.picture == b.picture:
        return Pair(a, b)
    return Pair(a, b, *(sheet.put(question, a) for question in both_orders(a, b)))


def both_orders(a: Candidate, b: Candidate) -> tuple[Question, Question]:
    """The question with `a` first, and with `b` first."""
    asked = template("pair-edit" if a.edit else "pair")
    before = (a.source,) if a.edit and a.source else ()
    prompt = a.planned.case.prompt
    forward = Question(asked, prompt, (*before, a.picture, b.picture))
    return forward, Question(asked, prompt, (*before, b.picture, a.picture))
