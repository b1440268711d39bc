"""The database is derived: incremental or from nothing, the same; readers never wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evalkit.errors import StorageError
from evalkit.store import Workspace
from evalkit.warehouse import connect, refresh

VIEWS = (
    "generations",
    "scores",
    "case_scores",
    "reliability",
    "metrics",
    "ballots",
    "votes",
    "studies",
    "attempts",
)
T = "2026-01-01T00:00:{:02d}.000000Z"


def case(name: str, **more: Any) -> dict[str, Any]:
    plain = {
        "suite": "s",
        "id": name,
        "prompt": name,
        "task": "t2i",
        "aspect_ratio": "1:1",
        "tags": [],
        "keep": [],
    }
    return plain | {"expected_text": [], "cluster": "", "source_sha": None, "mask_sha": None} | more


def write(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def plan(workspace: Workspace, run: str = "r1", cases: int = 3) -> None:
    suite = {
        "name": "s",
        "version": "1",
        "digest": "d",
        "category": "product",
        "licence": "CC0-1.0",
        "description": "",
        "synthetic": False,
    }
    systems = [
        {"name": n, "provider": "p", "model": n, "params": {}, "spec": f"p:{n}", "replayable": True}
        for n in "AB"
    ]
    trials = [[f"{c}{s}", c, s, 0] for c in range(cases) for s in (0, 1)]
    path = workspace.runs / run / "plan.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {
        "run": run,
        "created": T.format(0),
        "evalkit": "0",
        "suites": [suite],
        "cases": [case(f"c{n}", expected_text=["X"] if n == 0 else []) for n in range(cases)],
        "systems": systems,
        "trials": trials,
    }
    path.write_text(json.dumps(made))


def done(trial: str, second: int, status: str = "ok", **more: Any) -> dict[str, Any]:
    image = {"sha256": f"i{trial}", "width": 4, "height": 4, "format": "png", "bytes": 9}
    images = [image] if status == "ok" else []
    return {
        "type": "done",
        "trial": trial,
        "attempt": 1,
        "t": T.format(second),
        "status": status,
        "usd": "0.05",
        "basis": "list",
        "timings": {"total": 1.0},
        "images": images,
        **more,
    }


def metric(name: str = "m", needs: tuple[str, ...] = ()) -> dict[str, Any]:
    output = {
        "name": f"{name}_out",
        "label": name,
        "better": "higher",
        "unit": "",
        "low": None,
        "high": None,
        "needs": list(needs),
        "headline": True,
    }
    return {
        "type": "metric",
        "run": "r1",
        "t": T.format(0),
        "metric": name,
        "family": name,
        "version": "1",
        "config": {},
        "weights": None,
        "caveat": "",
        "outputs": [output],
    }


def score(
    trial: str, value: float | None, second: int = 1, name: str = "m", reason: str | None = None
) -> dict[str, Any]:
    return {
        "type": "score",
        "t": T.format(second),
        "trial": trial,
        "image_index": 0,
        "image": f"i{trial}",
        "metric": name,
        "version": "1",
        "key": f"k{trial}{second}",
        "values": [{"output": f"{name}_out", "value": value, "reason": reason}],
    }


def ballot(name: str, answer: str = "left", second: int = 1) -> dict[str, Any]:
    return {
        "type": "ballot",
        "study": "st",
        "ballot": name,
        "comparison": "c",
        "suite": "s",
        "case": "c0",
        "rater": "r",
        "left": {"system": "A", "trial": "00"},
        "right": {"system": "B", "trial": "01"},
        "t": T.format(second),
        "propensity": 0.5,
        "answers": {"alignment": answer, "appeal": "tie"},
        "client": {"visible_ms": 5},
        "simulated": False,
    }


def dump(workspace: Workspace) -> dict[str, list[Any]]:
    with connect(workspace) as db:
        return {view: sorted(map(repr, db.execute(f"SELECT * FROM {view}").fetchall())) for view in VIEWS}


def first_half(workspace: Workspace) -> None:
    plan(workspace)
    write(
        workspace.runs / "r1" / "journal.jsonl",
        {"type": "intent", "trial": "00", "attempt": 1, "t": T.format(1)},
    )
    write(
        workspace.runs / "r1" / "journal.jsonl",
        done("00", 2),
        done("01", 3, "refused", reason="no", stage="input"),
    )
    write(workspace.scores / "1.jsonl", metric(), score("00", 0.5))


def second_half(workspace: Workspace) -> None:
    write(
        workspace.runs / "r1" / "journal.jsonl",
        done("10", 4),
        done("11", 5, "failed", reason="slow", kind="timeout"),
    )
    write(workspace.scores / "1.jsonl", score("10", 0.25), metric("ocr", ("expected_text",)))
    write(
        workspace.scores / "2.jsonl",
        score("00", 0.75, second=9),
        score("00", None, name="ocr", reason="too_small"),
    )
    (workspace.studies / "st").mkdir(parents=True)
    (workspace.studies / "st" / "study.json").write_text(
        json.dumps(
            {
                "study": "st",
                "created": T.format(0),
                "title": "",
                "run": "r1",
                "systems": ["A", "B"],
                "criteria": [{"id": "alignment", "question": "?"}],
                "comparisons": [{}],
                "simulated": False,
            }
        )
    )
    write(workspace.votes / "st" / "1.jsonl", ballot("b1"), ballot("b1"), ballot("b2", "both_bad"))


def test_incremental_and_from_nothing_are_the_same(workspace: Workspace) -> None:
    first_half(workspace)
    dump(workspace)
    second_half(workspace)
    incremental = dump(workspace)
    refresh(workspace, rebuild=True)
    assert dump(workspace) == incremental
    workspace.database.unlink()
    assert dump(workspace) == incremental


def test_what_the_views_say(workspace: Workspace) -> None:
    first_half(workspace)
    second_half(workspace)
    with connect(workspace) as db:
        statuses = dict(db.execute("SELECT trial, status FROM generations").fetchall())
        assert statuses == {
            "00": "ok",
            "01": "refused",
            "10": "ok",
            "11": "failed",
            "20": "planned",
            "21": "planned",
        }
        scores = db.execute(
            "SELECT trial, output, value, reason FROM scores ORDER BY trial, output"
        ).fetchall()
        assert scores == [
            ("00", "m_out", 0.75, None),
            ("00", "ocr_out", None, "too_small"),
            ("01", "m_out", None, "refused"),
            ("01", "ocr_out", None, "refused"),
            ("10", "m_out", 0.25, None),
            ("11", "m_out", None, "failed"),
            ("20", "m_out", None, "planned"),
            ("21", "m_out", None, "planned"),
        ]
        coverage = db.execute(
            "SELECT sum(n_scored), sum(n_expected) FROM case_scores WHERE output = 'm_out'"
        ).fetchone()
        assert coverage == (2, 6)
        assert db.execute("SELECT count(*) FROM ballots").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM votes").fetchone() == (4,)


def test_a_torn_or_unfinished_line_is_read_when_it_is_whole(workspace: Workspace) -> None:
    plan(workspace)
    journal = workspace.runs / "r1" / "journal.jsonl"
    whole = json.dumps(done("00", 2)) + "\n"
    journal.write_text('{"type": "done", "tri\n' + whole[:20])
    assert count(workspace, "outcomes") == 0
    journal.write_text('{"type": "done", "tri\n' + whole)
    assert count(workspace, "outcomes") == 1


def test_edits_of_one_picture_are_one_cluster(workspace: Workspace) -> None:
    plan(workspace, cases=7)
    path = workspace.runs / "r1" / "plan.json"
    made = json.loads(path.read_text())
    given = [("p", "A"), ("q", "A"), ("r", "B"), ("wide", "C"), ("wide", "D"), ("t", None), ("", None)]
    for raw, (cluster, source) in zip(made["cases"], given, strict=True):
        raw.update(cluster=cluster, source=source, source_sha=source, task="edit" if source else "t2i")
    path.write_text(json.dumps(made))
    with connect(workspace) as db:
        clusters = [row[0] for row in db.execute("SELECT cluster FROM cases ORDER BY position").fetchall()]
    assert clusters == ["A", "A", "B", "wide", "wide", "t", "c6"]


def test_two_runs_share_a_trial(workspace: Workspace) -> None:
    first_half(workspace)
    plan(workspace, "r2")
    with connect(workspace) as db:
        shared = db.execute("SELECT run, status FROM generations WHERE trial = '00' ORDER BY run").fetchall()
    assert shared == [("r1", "ok"), ("r2", "ok")]


def test_a_reader_is_not_disturbed_and_does_not_disturb(workspace: Workspace) -> None:
    first_half(workspace)
    with connect(workspace) as old:
        before = old.execute("SELECT count(*) FROM outcomes").fetchone()
        second_half(workspace)
        refresh(workspace)
        assert old.execute("SELECT count(*) FROM outcomes").fetchone() == before
        with pytest.raises(duckdb.Error, match="read-only"):
            old.execute("DELETE FROM outcomes")
    assert count(workspace, "outcomes") == 4


@pytest.mark.parametrize("damage", [lambda p: p.write_bytes(b"not a database"), lambda p: p.write_bytes(b"")])
def test_a_damaged_database_is_made_anew(workspace: Workspace, damage: Callable[[Path], object]) -> None:
    first_half(workspace)
    refresh(workspace)
    damage(workspace.database)
    assert count(workspace, "outcomes") == 2


def test_a_full_disk_leaves_the_old_database(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first_half(workspace)
    refresh(workspace)
    second_half(workspace)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="No space"):
        refresh(workspace)
    with duckdb.connect(str(workspace.database), read_only=True) as db:
        assert db.execute("SELECT count(*) FROM outcomes").fetchone() == (2,)
    assert list(workspace.root.glob(".evalkit.duckdb*")) == []


def test_nothing_new_keeps_the_file(workspace: Workspace) -> None:
    first_half(workspace)
    refresh(workspace)
    before = workspace.database.stat().st_ino
    refresh(workspace)
    assert workspace.database.stat().st_ino == before


def count(workspace: Workspace, table: str) -> int:
    with connect(workspace) as db:
        row = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else -1
