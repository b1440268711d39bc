"""Files of another format: one error each, with file, line, what was expected and what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreignfiles import imported, jsonl, order, parquet, picture, write

from evalkit.errors import UnknownName, UsageError
from evalkit.suite.importers import ImportProblems, find_importer, import_suite


def problems(form: str, files: Path | list[Path], folder: Path) -> list[str]:
    """The problems of an import that must fail, and must leave nothing behind."""
    before = sorted(folder.parent.iterdir())
    with pytest.raises(ImportProblems) as caught:
        import_suite(order(form, files, folder))
    assert sorted(folder.parent.iterdir()) == before
    root = str(folder.parent) + "/"
    return [str(problem).replace(root, "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("form", "name", "content", "said"),
    [
        ("partiprompts", "p.tsv", "Prompt\tCategory\n", ":1: expected the tab-separated columns Prompt,"),
        (
            "partiprompts",
            "p.tsv",
            "Prompt\tCategory\tChallenge\tNote\na\tb\tc\td\na\tb\n",
            ":3: expected 4 tab-separated columns; found 2",
        ),
        ("drawbench", "d.csv", "Prompt,Class\n", ":1: expected the columns Prompts, Category; found Prompt,"),
        ("drawbench", "d.csv", "Prompts,Category\na,b\na,b,c\n", ":3: expected 2 columns; found 3"),
        ("drawbench", "d.csv", 'Prompts,Category\n"a,b\n', ":2: expected CSV;"),
        ("drawbench", "d.csv", b"Prompts,Category\n\xff,b\n", ":2: expected UTF-8; found byte 0xff"),
        ("geneval", "g.jsonl", '{"tag": 1\n', ":1: expected JSON;"),
        ("geneval", "g.jsonl", "[]\n", ":1: expected one JSON object per line; found a list of 0"),
        ("geneval", "g.jsonl", '{"tag": "a", "text": "b"}', ":1: expected the keys tag, include, prompt;"),
        (
            "geneval",
            "g.jsonl",
            '{"tag": "a", "include": {"class": "x"}, "prompt": "b"}',
            ':1: expected a list of objects under "include"; found an object with the keys class',
        ),
        (
            "geneval",
            "g.jsonl",
            '\n{"tag": "a", "include": [{"class": "x"}], "prompt": "b"}',
            ":2: expected the keys class, count; found class",
        ),
        (
            "geneval",
            "g.jsonl",
            '{"tag": "a", "include": [], "prompt": 5}',
            ':1: expected a string under "prompt"; found a number',
        ),
        (
            "longtext-bench",
            "l.jsonl",
            '{"prompt_id": 1, "category": "a", "prompt": "b", "text": "OPEN"}',
            ':1: expected a list of strings under "text"; found a string',
        ),
        ("lex-bench", "l.json", '{"a": []}', ": expected a list of objects; found an object with"),
        ("lex-bench", "l.json", '[{"text": []}]', ": expected the keys of item 1 text, caption,"),
        (
            "cvtg-2k",
            "2.json",
            '[{"words": ["a"], "scene": "b"}]',
            ": expected the key of item 1 prompt or caption or text_prompt; found words, scene",
        ),
        ("cvtg-2k", "2.json", '{"rows": 3}', ": expected a list of objects, or one under"),
        ("imgedit", "b.json", '{\n "7": {"prompt": "x"}\n}', ":2: expected the keys of '7' id; found"),
        ("imgedit", "b.json", '{"7": {"id": "a.png", "text": "x"}}', ": expected the keys of '7' id,"),
        ("imgedit", "b.json", '{"7": []}', ":1: expected an object under '7'; found a list of 0"),
        ("pie-bench", "m.json", '{"1": {"mask": []}}', ":1: expected the keys of '1' image_path,"),
        (
            "dpg-bench",
            "dpg_bench.csv",
            "item_id,text,proposition_id,dependency,question_natural_language\n0,a,1,none,Is it?\n",
            ":2: expected a proposition's number and those it depends on; found proposition_id '1',",
        ),
        ("oneig-bench", "OneIG-Bench.csv", "category,id,type\nText,1,NP\n", ":1: expected the column"),
        ("geneval", "g.jsonl", '{"tag": "a", "tag": "b"}', ":1: expected every key once; found 'tag'"),
        ("pie-bench", "m.json", '{"1": {}, "1": {}}', ": expected every key once; found '1' twice"),
        ("gedit-bench", "t.parquet", b"PAR1 not really", ": expected a Parquet table;"),
        ("gedit-bench", "t.arrow", b"nothing", ": expected an Arrow stream;"),
    ],
)  # fmt: skip
def test_one_error_says_where_and_what(form: str, name: str, content: Any, said: str, tmp_path: Path) -> None:
    (only,) = problems(form, write(tmp_path / "in", {name: content}), tmp_path / "out")
    assert only.startswith(f"in/{name}{said}")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "text_content.csv",
            "id,text_content\n1,[OPEN\n",
            ":2: expected a list as Python writes it; found '[OPEN'",
        ),
        (
            "text_content.csv",
            'id,text_content\n1,"[1, 2]"\n',
            ":2: expected a list of strings; found '[1, 2]'",
        ),
        (
            "human.json",
            '{"1": "not JSON"}',
            ": expected JSON inside the string under '1'; Expecting value",
        ),
        (
            "human.json",
            '{"1": {"question": {}}}',
            ": expected the keys of '1' question, dependency; found question",
        ),
        ("gt_answer.json", '{"1": 5}', ": expected a string under '1'; found a number"),
    ],
)
def test_files_beside_the_table_are_checked_too(name: str, content: str, said: str, tmp_path: Path) -> None:
    table = "category,id,prompt_en\nPortrait,1,A woman\n"
    files = write(tmp_path / "in", {"OneIG-Bench.csv": table, name: content})
    (only,) = problems("oneig-bench", files, tmp_path / "out")
    assert only == f"in/{name}{said}"


def test_columns_that_a_table_lacks_are_named_with_those_it_has(tmp_path: Path) -> None:
    file = parquet(tmp_path / "x.parquet", ("image",), [{"instruction": "x", "image": picture()}])
    (only,) = problems("magicbrush", file, tmp_path / "out")
    assert "expected the columns img_id, turn_index, instruction, source_img, mask_img, target_img" in only
    assert only.endswith("found instruction, image")


def test_every_file_is_looked_at(tmp_path: Path) -> None:
    good = jsonl({"tag": "a", "include": [], "prompt": "b"})
    files = write(tmp_path / "in", {"a.jsonl": "{", "b.jsonl": good, "c.jsonl": good + "[]"})
    assert [text.split(": ")[0] for text in problems("geneval", files, tmp_path / "out")] == [
        "in/a.jsonl:1",
        "in/c.jsonl:2",
    ]


def test_a_folder_without_such_files_says_what_it_holds(tmp_path: Path) -> None:
    (only,) = problems("geneval", write(tmp_path / "in", {"a.txt": "", "b.csv": ""}), tmp_path / "out")
    assert only == "in: expected a file like *.jsonl; found a.txt, b.csv"


def test_a_file_that_no_one_reads_is_an_error(tmp_path: Path) -> None:
    files = write(
        tmp_path / "in", {"a.jsonl": jsonl({"tag": "a", "include": [], "prompt": "b"}), "b.txt": "x"}
    )
    named = [files / "a.jsonl", files / "b.txt"]
    (only,) = problems("geneval", named, tmp_path / "out")
    assert only == "in/b.txt: is none of the files that this format reads: evaluation_metadata.jsonl"


def test_unknown_formats_and_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown format 'genval'") as caught:
        find_importer("genval")
    assert "geneval" in caught.value.hint
    with pytest.raises(UsageError, match=r"there is no .*nowhere"):
        import_suite(order("geneval", tmp_path / "nowhere", tmp_path / "out"))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_nothing_to_import_is_an_error_and_no_folder(content: str, tmp_path: Path) -> None:
    files = write(tmp_path / "in", {"a.jsonl": content})
    with pytest.raises(UsageError, match="no case is left of 0 records of GenEval: the files are empty"):
        import_suite(order("geneval", files, tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_without_its_pictures_nothing_is_left_and_the_reason_is_given(tmp_path: Path) -> None:
    files = write(tmp_path / "in", {"edit.json": json.dumps({"1": {"id": "a.jpg", "prompt": "x"}})})
    with pytest.raises(UsageError, match="--images says where to look"):
        import_suite(order("imgedit", files, tmp_path / "out"))


def test_a_byte_order_mark_and_windows_lines_are_no_fault(tmp_path: Path) -> None:
    text = "\ufeffPrompt\tCategory\tChallenge\tNote\r\na mug\tArts\tBasic\tx\r\n"
    made = imported("partiprompts", write(tmp_path / "in", {"p.tsv": text}), tmp_path / "out")
    assert [case.prompt for case in made.suite.cases] == ["a mug"]
