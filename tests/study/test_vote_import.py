"""Files of other people become studies: recognised, checked, written whole, and never twice."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from evalkit.errors import EvalkitError, InvalidInput, UnknownName, UsageError, WorkspaceError
from evalkit.leaderboard import vote_board, votes_of
from evalkit.preference.votes import votes_from_rows
from evalkit.store import Workspace
from evalkit.study.define import load_study, read_study
from evalkit.study.service import StudyService
from evalkit.study.votefiles import Imported, ImportOptions, import_votes
from evalkit.study.votefiles.columns import lay_out
from evalkit.warehouse import connect, refresh

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ARENA: list[dict[str, Any]] = [
    {
        "question_id": f"q{n}",
        "model_a": "x",
        "model_b": "y" if n % 2 else "z",
        "winner": ["model_a", "model_b", "tie", "tie (bothbad)"][n % 4],
        "judge": f"user_{n % 3}",
        "conversation_a": [{"role": "user", "content": "why? " * 60}],
        "turn": 1 + n % 2,
        "language": "English" if n % 2 else None,
        "tags": ["long", "code"] if n == 3 else [],
        "tstamp": 1707000000.25 + n,
    }
    for n in range(8)
]


def give(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def put(folder: Path, workspace: Workspace, text: str, study: str = "s", **options: Any) -> Imported:
    """Import a CSV file given as text."""
    return import_votes(workspace, give(folder / "given.csv", text), study, ImportOptions(**options))


def ask(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(workspace)) as db:
        return db.execute(query).fetchall()


def arena_file(folder: Path, kind: str) -> Path:
    path = folder / f"arena.{kind}"
    lines = [json.dumps(row) for row in ARENA]
    if kind == "jsonl":
        return give(path, "\n".join(lines) + "\n")
    give(folder / "arena.json", json.dumps(ARENA))
    if kind != "json":
        lists = "to_json(tags)" if kind == "csv" else "tags"
        query = f"COPY (SELECT * REPLACE ({lists} AS tags) FROM '{folder}/arena.json') TO '{path}'"
        duckdb.sql(query + (" (FORMAT parquet)" if kind == "parquet" else " (FORMAT csv, HEADER)"))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_an_arena_file_is_recognised_in_every_format(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    done = import_votes(workspace, arena_file(tmp_path, kind), "arena")
    assert (done.added, done.no_rater, done.no_case, done.own_ids) == (8, 0, 0, False)
    assert done.answers == {"left": 2, "right": 2, "tie": 2, "both_bad": 2, "skip": 0}
    assert "conversation_a" in done.dropped
    assert set(done.kept) == {"turn", "language", "tags"}
    rows = ask(
        workspace,
        'SELECT left_system, right_system, answer, "case", rater, t, extra FROM votes ORDER BY t',
    )
    when = datetime.fromisoformat("2024-02-03T22:40:03.250")
    assert rows[3][:6] == ("x", "y", "both_bad", "q3", "user_0", when)
    assert rows[3][6] == {"language": "English", "tags": "long,code", "turn": "2"}
    assert rows[2][6] == {"turn": "1"}


def test_a_table_of_left_right_winner_needs_no_mapping(workspace: Workspace) -> None:
    path = DATA / "evalica-simple.csv"
    if not path.exists():
        pytest.skip("the reference data are not here")
    done = import_votes(workspace, path, "simple")
    with path.open() as file:
        given = [(row["left"], row["right"], row["winner"]) for row in csv.DictReader(file)]
    assert done.added == len(given)
    assert done.no_rater == done.no_case == len(given)
    found = ask(
        workspace,
        "SELECT left_system, right_system, answer FROM votes ORDER BY split_part(ballot, '-', 2)::INT",
    )
    assert found == given


def test_columns_can_be_mapped_and_what_is_left_stays_in_extra(workspace: Workspace, tmp_path: Path) -> None:
    done = put(
        tmp_path,
        workspace,
        "eins;zwei;besser;wer;gruppe;gewicht\na;b;A;r1;nurses;2\nb;c;draw;r2;;0.5\n",
        columns={"left": "eins", "right": "zwei", "winner": "besser", "rater": "wer", "weight": "gewicht"},
        criterion="appeal",
        title="Beds",
    )
    assert (done.added, done.kept) == (2, ("gruppe",))
    assert ask(workspace, "SELECT criterion, answer, rater, weight, extra FROM votes ORDER BY rater") == [
        ("appeal", "left", "r1", 2.0, {"gruppe": "nurses"}),
        ("appeal", "tie", "r2", 0.5, None),
    ]
    study = read_study(workspace, "s")
    assert (study.title, study.systems, study.criteria[0].question[:5]) == ("Beds", ("a", "b", "c"), "Setti")


def test_what_says_no_rater_and_no_case_is_null_and_each_a_cluster_of_its_own(
    workspace: Workspace, tmp_path: Path
) -> None:
    text = "left,right,winner,rater,case\na,b,left,r1,k\na,b,right,,k\na,b,tie,,\nb,a,left,r1,\n"
    done = put(tmp_path, workspace, text)
    assert (done.no_rater, done.no_case) == (2, 2)
    assert ask(workspace, "SELECT count(*) FROM votes WHERE rater IS NULL") == [(2,)]
    with closing(connect(workspace)) as db:
        votes = votes_of(db, "s", "overall")
    by_row = dict(zip("abcd", zip(votes.rater.tolist(), votes.case.tolist(), strict=True), strict=True))
    raters, cases = [pair[0] for pair in by_row.values()], [pair[1] for pair in by_row.values()]
    assert raters[0] == raters[3]
    assert len(set(raters)) == 3
    assert cases[0] == cases[1]
    assert len(set(cases)) == 3
    assert min(*raters, *cases) == 0


def test_a_board_of_imported_votes_is_the_board_of_the_same_rows(
    workspace: Workspace, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    names = ["a", "b", "c"]
    rows = []
    for n in range(300):
        left, right = rng.permutation(3)[:2]
        answer = ["left", "right", "tie"][int(rng.integers(3))]
        rows.append((names[left], names[right], answer, f"k{n % 20}", f"r{n % 7}"))
    text = "left,right,winner,case,rater\n" + "".join(",".join(row) + "\n" for row in rows)
    put(tmp_path, workspace, text)
    with closing(connect(workspace)) as db:
        board = vote_board(db, "s", "overall")
        votes = votes_of(db, "s", "overall")
    straight = votes_from_rows(rows)
    cells = lambda v: np.bincount((v.answer * 3 + v.left) * 3 + v.right, minlength=36)  # noqa: E731
    assert board.n_votes == 300
    np.testing.assert_array_equal(cells(votes), cells(straight))
    assert (len(set(votes.case)), len(set(votes.rater))) == (20, 7)


PAIR = "left,right,winner\n"
GOOD = "left,right,winner,ballot,weight\n"
WEIGHTS = "a,b,tie,1,nan\na,b,tie,2,-1\na,b,tie,3,inf\na,b,tie,4,x\na,b,tie,5,1\n"
WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("l,r,winner\na,b,left\n", {}, ["no column for left_system, right_system", "--map left_system=COLUMN"]),
    (PAIR + "a,b,meh\nb,a,left\na,b,meh\n", {}, ["2 rows (1, 3)", "unknown outcome 'meh'", "both_bad"]),
    (PAIR + "a,b,\nb,a,left\n", {}, ["1 row (1)", "no outcome"]),
    (PAIR + "a,b,left\nb,b,tie\n", {}, ["1 row (2)", "with itself: 'b'"]),
    (PAIR + "a, ,left\na,b,left\n", {}, ["1 row (1)", "names no system"]),
    (GOOD + WEIGHTS, {}, ["'nan'", "'-1'", "'inf'", "'x'"]),
    (GOOD + "a,b,left,1,1\na,b,right,1,1\n", {}, ["2 rows (1, 2)", "in this file already: '1'"]),
    (GOOD + "a,b,left,1,1\na,c,left,1,1\n", {}, ["2 rows (1, 2)"]),
    (PAIR + "a,b,left\na,d,left\n", {"systems": ["a", "b"]}, ["1 row (2)", "known ones: 'd'"]),
    (PAIR + "a,a,left\n", {}, ["one system only, 'a'"]),
    (PAIR, {}, ["no rows"]),
    ("", {}, ["no column for"]),
    (PAIR + "a,b\nb,a\n", {}, ["2 lines (2, 3)", "not a row"]),
    ("left,right,winner,t\na,b,left,yesterday\n", {}, ["1 row (1)", "'yesterday'"]),
    ("left,right,winner,propensity\na,b,left,1.5\n", {}, ["'1.5'"]),
    ("left,right,winner,pair_propensity\na,b,left,0\n", {}, ["pair_propensity", "'0'"]),
    ("left,right,winner,visible_ms\na,b,left,-3\n", {}, ["'-3'"]),
    ("left,right,winner,simulated\na,b,left,perhaps\n", {}, ["'perhaps'"]),
    ("left,right,winner,extra\na,b,left,[1]\n", {}, ["not a JSON object"]),
    ("left,right,winner,rater\na,b,left,r\na,b\na,b,tie,r,9,9\n", {}, ["2 lines (3, 4)", "not a row"]),
]


@pytest.mark.parametrize(("text", "options", "words"), WRONG)
def test_what_is_wrong_is_named_and_nothing_is_written(
    workspace: Workspace, tmp_path: Path, text: str, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        put(tmp_path, workspace, text, **options)
    said = f"{caught.value.message} {caught.value.hint}"
    assert [word for word in ["given.csv", *words] if word not in said] == []
    assert not (workspace.studies / "s").exists()
    assert not (workspace.votes / "s").exists()


def test_only_the_first_five_rows_and_ten_details_are_named(workspace: Workspace, tmp_path: Path) -> None:
    rows = "".join(f"a,b,word{n % 13}\n" for n in range(130)) + "a,b,left\n"
    with pytest.raises(InvalidInput) as caught:
        put(tmp_path, workspace, "left,right,winner\n" + rows)
    assert caught.value.message.count("unknown outcome") == 11
    assert "10 rows (1, 14, 27, 40, 53, ...)" in caught.value.message
    assert "30 rows" in caught.value.message
    assert "(others)" in caught.value.message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.parquet", b"left,right,winner\na,b,left\n"),
        ("x.json", b'[{"left": "a", '),
        ("x.jsonl", b"\x00\x01"),
        ("x.csv", b"\xff\xfe\x00l,r\n\x80,1\n"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_ours(
    workspace: Workspace, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidInput, match=name):
        import_votes(workspace, tmp_path / name, "s")


def test_other_ways_to_ask_wrongly(workspace: Workspace, tmp_path: Path, study: str) -> None:
    text = "left,right,winner\na,b,left\n"
    with pytest.raises(InvalidInput, match="no file"):
        import_votes(workspace, tmp_path / "nothing.csv", "s")
    with pytest.raises(UsageError, match="ends in"):
        import_votes(workspace, give(tmp_path / "votes.xlsx", text), "s")
    with pytest.raises(UsageError, match="cannot be the name"):
        put(tmp_path, workspace, text, "A study")
    with pytest.raises(UnknownName, match="'colour'"):
        put(tmp_path, workspace, text, columns={"colour": "left"})
    with pytest.raises(UnknownName, match="'winer'"):
        put(tmp_path, workspace, text, columns={"answer": "winer"})
    with pytest.raises(UsageError, match="two things"):
        put(tmp_path, workspace, text, columns={"rater": "winner", "case": "winner"})
    with pytest.raises(WorkspaceError, match="raters of its own"):
        put(tmp_path, workspace, text, study)


def test_skipping_bad_rows_imports_the_rest_and_lists_them(workspace: Workspace, tmp_path: Path) -> None:
    text = GOOD + "a,b,left,1,1\na,b,meh,2,1\na,a,tie,3,1\na,b,left,4,1\na,b,right,4,1\nb,a\n"
    done = put(tmp_path, workspace, text, skip_bad_rows=True)
    assert done.added == 1
    left_out = {fault.kind: (fault.n, fault.rows) for fault in done.left_out}
    assert left_out == {
        "broken": (1, (7,)),
        "answer": (1, (2,)),
        "self_pair": (1, (3,)),
        "conflict": (2, (4, 5)),
    }
    assert ask(workspace, "SELECT ballot FROM votes") == [("1",)]
    with pytest.raises(InvalidInput, match="no row that can be imported"):
        put(tmp_path, workspace, "left,right,winner\na,b,x\n", "t", skip_bad_rows=True)


def test_the_same_file_again_adds_nothing(workspace: Workspace, tmp_path: Path) -> None:
    text = "left,right,winner\na,b,left\na,b,left\n"
    assert put(tmp_path, workspace, text).added == 2
    again = import_votes(workspace, give(tmp_path / "other-name.csv", text), "s")
    assert (again.added, again.same_file) == (0, True)
    assert len(list((workspace.votes / "s").iterdir())) == 1
    assert ask(workspace, "SELECT count(*), count(DISTINCT ballot) FROM votes") == [(2, 2)]


def test_a_longer_file_with_ids_adds_what_is_new(workspace: Workspace, tmp_path: Path) -> None:
    head = "ballot,criterion,left,right,winner,lang\n"
    both = "1,appeal,a,b,left,en\n1,alignment,a,b,tie,en\n1,alignment,a,b,tie,en\n"
    first = put(tmp_path, workspace, head + both)
    assert (first.added, first.repeated) == (2, 1)
    more = put(tmp_path, workspace, head + both + "2,appeal,b,a,right,de\n")
    assert (more.added, more.there, more.repeated) == (1, 2, 1)
    assert ask(workspace, "SELECT ballot, count(*) FROM votes GROUP BY 1 ORDER BY 1") == [("1", 2), ("2", 1)]
    assert ask(workspace, "SELECT ballot FROM ballots ORDER BY 1") == [("1",), ("2",)]
    with pytest.raises(InvalidInput, match=r"1 row \(1\).*imported earlier: '2'"):
        put(tmp_path, workspace, head + "2,appeal,b,a,left,de\n")
    with pytest.raises(InvalidInput, match="not among the known ones: 'c'"):
        put(tmp_path, workspace, head + "3,appeal,b,c,left,de\n")
    with pytest.raises(InvalidInput, match="not among the known ones: 'c'"):
        put(tmp_path, workspace, head + "3,appeal,b,c,left,de\n", systems=["b", "c"])
    with pytest.raises(InvalidInput, match="does not ask: 'beauty'"):
        put(tmp_path, workspace, head + "3,beauty,b,a,left,de\n")
    partly = put(
        tmp_path, workspace, head + "2,appeal,b,a,left,de\n4,appeal,a,b,tie,de\n", skip_bad_rows=True
    )
    assert (partly.added, partly.left_out[0].kind) == (1, "other")


def test_an_id_column_that_is_none_can_be_declined(workspace: Workspace, tmp_path: Path) -> None:
    text = "id,model_a,model_b,winner\n1,a,b,model_a\n1,a,b,model_b\n"
    with pytest.raises(InvalidInput, match="already: '1'"):
        put(tmp_path, workspace, text)
    assert put(tmp_path, workspace, text, columns={"ballot": ""}).added == 2


def test_times_of_every_kind_are_utc(workspace: Workspace, tmp_path: Path) -> None:
    times = ["1707000000.5", "1707000000500", "1707000000500000", "2024-02-03T22:40:00.5Z"]
    times += ["2024-02-03 22:40:00.500", "2024-02-04T00:40:00.5+02:00"]
    put(tmp_path, workspace, "left,right,winner,t\n" + "".join(f"a,b,tie,{t}\n" for t in times))
    assert ask(workspace, "SELECT DISTINCT t FROM votes") == [
        (datetime.fromisoformat("2024-02-03T22:40:00.500"),)
    ]


def test_rankings_are_rows_of_places(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        {"ranking": ["a", ["c", "b"], "d"], "rater": "r1", "case": "k1", "criterion": "appeal"},
        {"ranking": [["d"], ["a"]], "rater": "r2", "case": "k2", "criterion": "appeal"},
    ]
    path = give(tmp_path / "kwise.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    done = import_votes(workspace, path, "k")
    assert (done.kind, done.added, done.systems) == ("rankings", 2, ("a", "b", "c", "d"))
    found = ask(workspace, "SELECT rater, place, system FROM rankings ORDER BY rater, place, system")
    assert found == [
        ("r1", 1, "a"), ("r1", 2, "b"), ("r1", 2, "c"), ("r1", 4, "d"), ("r2", 1, "d"), ("r2", 2, "a"),
    ]  # fmt: skip
    assert import_votes(workspace, path, "k").same_file
    table = tmp_path / "kwise.parquet"
    duckdb.sql(f"COPY (SELECT ['b', 'a', 'c'] AS \"order\", 'r3' AS rater) TO '{table}' (FORMAT parquet)")
    assert import_votes(workspace, table, "k2").added == 1
    assert ask(workspace, "SELECT system FROM rankings WHERE study = 'k2' ORDER BY place") == [
        ("b",), ("a",), ("c",),
    ]  # fmt: skip


def test_what_is_wrong_with_rankings(workspace: Workspace, tmp_path: Path) -> None:
    bad = ['["a"]', '["a", "a"]', "a > b", '["a", ""]', '["a", []]', '[["a", "b"]]']
    path = tmp_path / "k.jsonl"
    path.write_text("".join(json.dumps({"ranking": text}) + "\n" for text in bad))
    done = import_votes(workspace, path, "k", ImportOptions(skip_bad_rows=True))
    assert done.added == 1
    assert sorted((fault.kind, fault.rows) for fault in done.left_out) == [
        ("no_system", (4, 5)),
        ("ranking", (3,)),
        ("short", (1,)),
        ("twice", (2,)),
    ]


def test_an_imported_study_has_no_pictures_to_rate(workspace: Workspace, tmp_path: Path) -> None:
    put(tmp_path, workspace, "left,right,winner\na,b,left\n")
    assert workspace.study_ids() == ["s"]
    for open_it in (load_study, StudyService):
        with pytest.raises(UsageError, match="no pictures"):
            open_it(workspace, "s")


def test_facts_survive_the_database_and_failures_leave_none(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, workspace, "left,right,winner,lang\na,b,left,en\n")
    before = ask(workspace, "SELECT * FROM votes")
    refresh(workspace, rebuild=True)
    assert ask(workspace, "SELECT * FROM votes") == before

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EvalkitError, match="No space"):
        put(tmp_path, workspace, "left,right,winner\nb,a,left\n", "t")
    assert list((workspace.votes / "t").iterdir()) == []
    assert "t" not in workspace.study_ids()


def test_names_of_files_and_columns_are_never_sql(workspace: Workspace, tmp_path: Path) -> None:
    head = 'left,right,winner,it\'s,"a ""b""",x*y\n'
    done = import_votes(workspace, give(tmp_path / "it's [1]*.csv", head + "a,b,left,1,2,3\n"), "s")
    assert done.kept == ("it's", 'a "b"', "x*y")
    assert ask(workspace, "SELECT extra FROM votes") == [({"it's": "1", 'a "b"': "2", "x*y": "3"},)]
    line = {"left": "a", "right": "b", "winner": "tie", "k\"'\\q": "v"}
    done = import_votes(workspace, give(tmp_path / "q.jsonl", json.dumps(line) + "\n"), "t")
    assert done.added == 1
    assert ask(workspace, "SELECT extra FROM votes WHERE study = 't'") == [({"k\"'\\q": "v"},)]


def test_columns_are_found_by_name_whatever_the_case() -> None:
    layout = lay_out("f", ["ID", "Model_A", "model_b", "Winner", "judge", "Question_ID"])
    assert layout.columns == {
        "ballot": "ID",
        "answer": "Winner",
        "left_system": "Model_A",
        "right_system": "model_b",
        "case": "Question_ID",
        "rater": "judge",
    }
    assert lay_out("f", ["id", "left", "right", "winner"]).rest == ("id",)
    assert lay_out("f", ["order", "left", "right", "winner"]).kind == "votes"
