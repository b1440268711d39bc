"""The questions evalkit can put to raters.

One criterion may be worded differently for each task: entries with the same id have disjoint `tasks`.
The order here is the order on the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.errors import UnknownName
from evalkit.types import Criterion, Task

CRITERIA: tuple[Criterion, ...] = (
    Criterion("alignment", "Which image comes closer to what the prompt asks for?", tasks=("t2i",)),
    Criterion("alignment", "Which image carries out the instruction better?", tasks=("edit",)),
    Criterion("preservation", "Which image keeps everything else more intact?", tasks=("edit",)),
    Criterion("appeal", "Setting the request aside, which image looks better?"),
)


def choose_criteria(ids: Sequence[str] | None, tasks: Iterable[Task]) -> tuple[Criterion, ...]:
    """The questions for a study whose cases have these tasks; all that apply unless `ids` names some.

    Raises `UnknownName` for an id that does not exist or never applies.
    """
    wanted = set(tasks)
    usable = tuple(criterion for criterion in CRITERIA if wanted.intersection(criterion.tasks))
    known = {criterion.id for criterion in usable}
    for name in ids or ():
        if name not in known:
            raise UnknownName("criterion", name, known)
    return tuple(c for c in usable if ids is None or c.id in ids)


def criteria_for(task: Task, criteria: Iterable[Criterion]) -> tuple[Criterion, ...]:
    """The questions of a study that are asked about a case of this task, in order."""
    return tuple(criterion for criterion in criteria if task in criterion.tasks)
