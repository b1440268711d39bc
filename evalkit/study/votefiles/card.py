"""The data card of an export: what the study was, what is in the file, and what must be known to use it.

Numbers are counted from the exported rows (`sql/card_*.sql`); the words are in `templates/card.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.clock import now
from evalkit.store import Workspace
from evalkit.study.define import StudyDefinition
from evalkit.study.sampling import BALANCED
from evalkit.study.votefiles.columns import COLUMNS, RANKING_COLUMNS
from evalkit.study.votefiles.statements import records
from evalkit.study.withdrawals import read_withdrawals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Totals = Mapping[str, Any]
AIMED = (
    "Some pairs of systems were asked about more often than others, for the study's goal: a plain count of a "
    "system's wins says as much about its opponents as about the system."
)
NO_RATER = (
    "{n} of {of} answers do not say whose they are. An interval cannot know how raters differ, and treats "
    "each of them as a rater of its own: it is too narrow if few people gave many answers."
)
NO_CASE = (
    "{n} of {of} answers do not say what was asked. An interval treats each as a prompt of its own: it is "
    "too narrow if few prompts got many answers."
)


@dataclass(frozen=True, slots=True)
class Part:
    """One written file: votes or rankings, how many rows, and the digest of its bytes."""

    kind: str
    path: Path
    rows: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


def data_card(
    db: DuckDBPyConnection,
    workspace: Workspace,
    study: StudyDefinition,
    parts: Sequence[Part],
    criterion: str | None,
    *,
    anonymised: bool,
) -> str:
    """The card as Markdown. `db` holds the exported rows as `picked`."""
    totals = records(db, "card_totals")[0]
    kinds = {part.kind for part in parts}
    facts = {
        "study": study,
        "imported": study.imported,
        "aimed": _is_aimed(study),
        "files": parts,
        "criterion": criterion,
        "anonymised": anonymised,
        "totals": totals,
        "counts": records(db, "card_counts"),
        "systems": records(db, "card_systems"),
        "raters": records(db, "card_raters")[0],
        "suites": records(db, "card_suites", study=study.study),
        "undone": records(db, "card_undone", study=study.study)[0],
        "withdrawals": read_withdrawals(workspace, study.study),
        "rankings": sum(part.rows for part in parts if part.kind == "rankings"),
        "limits": _limits(study, totals, anonymised=anonymised),
        "columns": (COLUMNS if "votes" in kinds else ())
        + (RANKING_COLUMNS[:1] if "rankings" in kinds else ()),
    }
    return _rendered({**facts, "version": __version__, "today": now()[:10]})


def _is_aimed(study: StudyDefinition) -> bool:
    """Whether some pairs were favoured for a goal."""
    return study.imported is None and study.sampling != BALANCED


def _limits(study: StudyDefinition, totals: Totals, *, anonymised: bool) -> list[str]:
    """What a reader must know before using the numbers, most serious first."""
    n = totals["answers"]
    found = [
        (bool(totals["simulated"]), "Simulated answers say nothing about what people prefer."),
        (
            study.selection is not None,
            "The pairs were picked for being difficult: rate no system by these votes.",
        ),
        (_is_aimed(study), AIMED),
        (bool(totals["no_rater"]), NO_RATER.format(n=totals["no_rater"], of=n)),
        (bool(totals["no_case"]), NO_CASE.format(n=totals["no_case"], of=n)),
        (bool(totals["weighted"]), f"{totals['weighted']} answers have a weight other than 1."),
        (
            not totals["known_odds"],
            "How pairs were chosen is not known: ratings depend on who was compared with whom.",
        ),
        (not anonymised, "Raters and sessions have the names they were recorded under."),
        (anonymised, "`extra` is as it was recorded: look through it before you publish the file."),
    ]
    return [text for holds, text in found if holds]


def _rendered(facts: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    pages = Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=False)
    pages.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return pages.get_template("card.md").render(facts) + "\n"
