"""Formats without pictures: what each of their fields becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreignfiles import imported, jsonl, write

PARTI = (
    "Prompt\tCategory\tChallenge\tNote\n"
    'A green sign that says "Very Deep Learning" and is at the edge of the Grand Canyon.\tWorld Knowledge\t'
    "Writing & Symbols\t\n"
    "a portrait of a tall man in a blue coat\tPeople\tBasic\t\n"
    "a portrait of a tall man in a red coat\tPeople\tSimple Detail\t\n"
    "a teapot\tArtifacts\tBasic\ta note\n"
    'a cup that says "hi"\tArtifacts\tBasic\t\n'
)


def test_partiprompts(tmp_path: Path) -> None:
    files = write(tmp_path / "in", {"PartiPrompts.tsv": PARTI})
    made = imported("partiprompts", files, tmp_path / "parti")
    assert (made.suite.category, made.suite.licence) == ("other", "Apache-2.0")
    sign = made.cases["parti-0001"]
    assert sign.prompt.startswith('A green sign that says "Very Deep Learning"')
    assert sign.expected_text == ("Very Deep Learning",)
    assert sign.tags == ("category:world-knowledge", "challenge:writing-and-symbols")
    assert made.cases["parti-0002"].cluster == made.cases["parti-0003"].cluster == "a-portrait-of-a-tall-man"
    assert made.cases["parti-0004"].cluster == ""
    assert made.cases["parti-0005"].expected_text == ()


@pytest.mark.parametrize(
    ("category", "ids"),
    [("portrait", {"parti-0002", "parti-0003"}), ("product", {"parti-0004", "parti-0005"})],
)
def test_parts_of_partiprompts_are_for_categories(category: str, ids: set[str], tmp_path: Path) -> None:
    files = write(tmp_path / "in", {"PartiPrompts.tsv": PARTI})
    made = imported("partiprompts", files, tmp_path / "parti", category=category)
    assert made.suite.category == category
    assert set(made.cases) == ids
    assert made.told.left_out == {f"not for {category}": 3}


def test_typography_takes_only_prompts_with_a_text(tmp_path: Path) -> None:
    more = PARTI + "a stop sign with 'ALL WAY' written below it\tArtifacts\tWriting & Symbols\t\n"
    files = write(tmp_path / "in", {"PartiPrompts.tsv": more})
    made = imported("partiprompts", files, tmp_path / "parti", category="typography")
    assert set(made.cases) == {"parti-0001"}
    assert list(made.told.skipped.values()) == [1]
    assert made.told.examples[next(iter(made.told.skipped))] == ("6",)


def test_drawbench(tmp_path: Path) -> None:
    text = (
        "Prompts,Category\nA red car.,Colors\n\"A storefront with 'Hello World' written on it.\",Text\n"
        "The dogs' bowl.,Gary Marcus et al. \n"
    )
    made = imported("drawbench", write(tmp_path / "in", {"sheet.csv": text}), tmp_path / "drawbench")
    assert made.cases["drawbench-002"].expected_text == ("Hello World",)
    assert made.cases["drawbench-003"].expected_text == ()
    assert made.cases["drawbench-003"].tags == ("category:gary-marcus-et-al",)
    assert made.suite.redistributable is False


def test_geneval_says_what_must_and_must_not_be_there(tmp_path: Path) -> None:
    rows = [
        {
            "tag": "position",
            "include": [
                {"class": "sink", "count": 1},
                {"class": "tie", "count": 1, "position": ["above", 0]},
            ],
            "prompt": "a photo of a tie above a sink",
        },
        {
            "tag": "counting",
            "include": [{"class": "clock", "count": 2, "color": "red"}],
            "exclude": [{"class": "clock", "count": 3}],
            "prompt": "a photo of two clocks",
        },
    ]
    files = write(tmp_path / "in", {"evaluation_metadata.jsonl": jsonl(*rows)})
    made = imported("geneval", files, tmp_path / "geneval")
    assert made.cases["position-00000"].checks == (
        {"kind": "object", "class": "sink", "count": 1},
        {"kind": "object", "class": "tie", "count": 1, "position": ["above", 0]},
    )
    assert made.cases["counting-00001"].checks == (
        {"kind": "object", "class": "clock", "count": 2, "colour": "red"},
        {"kind": "object", "class": "clock", "count": 3, "exclude": True},
    )


def test_t2i_compbench_leaves_parts_and_training_alone(tmp_path: Path) -> None:
    files = write(
        tmp_path / "in",
        {
            "color_val.txt": "a green bench and a blue bowl\na blue bench and a green bowl\n",
            "color_val_seen.txt": "a green bench and a blue bowl\n",
            "color_train.txt": "never\n",
            "3d_spatial_val.txt": "a cat behind a box",
        },
    )
    made = imported("t2i-compbench", files, tmp_path / "comp")
    assert set(made.cases) == {"color-0000", "color-0001", "3d_spatial-0000"}
    assert made.cases["color-0000"].cluster == made.cases["color-0001"].cluster
    named = imported("t2i-compbench", files / "color_train.txt", tmp_path / "named")
    assert [case.prompt for case in named.suite.cases] == ["never"]


DPG = (
    "item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,"
    "question_natural_language\n"
    '0,"A mug, red.",,1,0,entity,whole,entity - whole (mug),Is there a mug?\n'
    '0,"A mug, red.",,2,1,attribute,color,"attribute - color (mug, red)",Is the mug red?\n'
    '0,"A mug, red.",,3,"1, 2",relation,spatial,x,Is the red mug on a table?\n'
    "only-here,A dog.,,1,0,entity,whole,entity - whole (dog),Is there a dog?\n"
)


def test_dpg_bench_keeps_the_first_question(tmp_path: Path) -> None:
    files = write(
        tmp_path / "in",
        {"prompts/0.txt": "A mug, red.\n", "prompts/lonely.txt": "A lonely tree.", "dpg_bench.csv": DPG},
    )
    made = imported("dpg-bench", files, tmp_path / "dpg")
    assert set(made.cases) == {"0", "lonely", "only-here"}
    assert made.cases["0"].prompt == "A mug, red."
    assert made.cases["0"].checks == (
        {"kind": "question", "id": "1", "text": "Is there a mug?", "parents": [], "category": "entity"},
        {"kind": "question", "id": "2", "text": "Is the mug red?", "parents": ["1"], "category": "attribute"},
        {
            "kind": "question",
            "id": "3",
            "text": "Is the red mug on a table?",
            "parents": ["1", "2"],
            "category": "relation",
        },
    )
    assert made.told.notes == {"no questions in the table": 1}


def test_of_a_repository_only_the_benchmark_is_read(tmp_path: Path) -> None:
    files = {"requirements.txt": "torch\n", "results.csv": "a,b\n", "dpg_bench/prompts/7.txt": "A cat."}
    made = imported("dpg-bench", write(tmp_path / "ella", dict(files)), tmp_path / "dpg")
    assert set(made.cases) == {"7"}
    more = {**ONEIG, "results/alignment.csv": "x\n", "assets/style.json": "[]"}
    assert len(imported("oneig-bench", write(tmp_path / "one", more), tmp_path / "oneig").cases) == 5


def test_dpg_bench_without_a_table_has_no_questions(tmp_path: Path) -> None:
    made = imported("dpg-bench", write(tmp_path / "in", {"7.txt": "A cat."}), tmp_path / "dpg")
    assert (made.cases["7"].checks, made.told.notes) == ((), {})


ONEIG = {
    "OneIG-Bench.csv": (
        "category,id,prompt_en,type,prompt_length,class\n"
        'Text_Rendering,040,"A poster of ""Dreamland Cat Adventure, Spring Festival 2025"", with cats",NP,'
        "short,poster design\n"
        'Portrait,001,A woman with a lantern,"T, P",middle,None\n'
        "General_Object,001,A kettle,NP,short,\n"
        "Knowledge_Reasoning,003,How rain forms,NP,short,\n"
    ),
    "OneIG-Bench-ZH.csv": "category,id,prompt_cn,type,prompt_length\nPortrait,001,提灯笼的女人,NP,short\n",
    "text/text_content.csv": (
        'id,text_content\n040,"[\'Dreamland Cat Adventure, Spring Festival 2025\', ""it\'s""]"\n'
    ),
    "Q_D/human.json": json.dumps(
        {
            "001": {
                "question": json.dumps({"1": "Is there a woman?", "2": "Does she hold a lantern?"}),
                "dependency": json.dumps({"1": [0], "2": [1]}),
            }
        }
    ),
    "Q_D/human_zh.json": json.dumps({"001": {"question": {"1": "有女人吗？"}, "dependency": {"1": [0]}}}),
    "gt_answer.json": json.dumps({"003": "Water rises and falls."}),
}


def test_oneig_joins_its_files(tmp_path: Path) -> None:
    made = imported("oneig-bench", write(tmp_path / "in", dict(ONEIG)), tmp_path / "oneig")
    poster = made.cases["text-040-en"]
    assert poster.expected_text == ("Dreamland Cat Adventure, Spring Festival 2025", "it's")
    assert set(poster.tags) >= {"category:text_rendering", "lang:en", "class:poster-design"}
    woman, woman_zh = made.cases["human-001-en"], made.cases["human-001-zh"]
    assert woman.cluster == woman_zh.cluster
    assert "lang:zh" in woman_zh.tags
    assert woman.checks == (
        {"kind": "question", "id": "1", "text": "Is there a woman?", "parents": []},
        {"kind": "question", "id": "2", "text": "Does she hold a lantern?", "parents": ["1"]},
    )
    assert woman_zh.checks[0]["text"] == "有女人吗？"
    reasoning = made.cases["reasoning-003-en"]
    assert reasoning.checks == ({"kind": "reference_answer", "text": "Water rises and falls."},)
    assert (made.suite.licence, made.suite.redistributable) == ("CC-BY-NC-4.0", False)


@pytest.mark.parametrize(
    ("category", "ids"),
    [
        ("portrait", {"human-001-en", "human-001-zh"}),
        ("product", {"object-001-en"}),
        ("typography", {"text-040-en"}),
    ],
)
def test_oneig_has_parts_for_three_categories(category: str, ids: set[str], tmp_path: Path) -> None:
    files = write(tmp_path / "in", dict(ONEIG))
    assert set(imported("oneig-bench", files, tmp_path / "part", category=category).cases) == ids


def test_longtext_bench(tmp_path: Path) -> None:
    english = {
        "category": "sign",
        "length": "short",
        "prompt": 'A billboard reads "FRESH BREWS, EVERY MORNING, EVERY DAY".',
        "text": ["FRESH BREWS, EVERY MORNING, EVERY DAY", "Locally Roasted Since 1998"],
        "text_length": 9,
        "prompt_id": 0,
    }
    chinese = {**english, "prompt": "招牌上写着『每天新鲜』", "text": ["每天新鲜"]}
    files = write(tmp_path / "in", {"a.jsonl": jsonl(english), "a_zh.jsonl": jsonl(chinese)})
    made = imported("longtext-bench", files, tmp_path / "longtext")
    assert made.suite.category == "typography"
    assert made.cases["en-000"].expected_text == tuple(english["text"])
    assert made.cases["zh-000"].expected_text == ("每天新鲜",)
    assert made.cases["en-000"].tags == ("category:sign", "lang:en", "length:short")
    assert made.cases["zh-000"].cluster == made.cases["en-000"].cluster


LEX = {
    "text": ["Communicate", "Execute"],
    "color": ["purple", "yellow"],
    "prompt_idx": "0000",
    "caption": 'A picture of people, with the text on it: "Communicate" in purple, "Execute" in yellow.',
    "enhanced_caption": "The image depicts a lively scene.",
    "simple_image_ocr_results": [[[[1.0, 2.0]], ["COMMUNICAte", 0.9]]],
}


@pytest.mark.parametrize(
    ("form", "key"), [("lex-bench", "caption"), ("lex-bench-enhanced", "enhanced_caption")]
)
def test_lex_bench(form: str, key: str, tmp_path: Path) -> None:
    files = write(tmp_path / "in", {"lex.json": json.dumps([LEX, {**LEX, "text": ["A", "B", "C"]}])})
    made = imported(form, files, tmp_path / "lex")
    assert set(made.cases) == {"words-2-0000", "words-3-0000"}
    case = made.cases["words-2-0000"]
    assert (case.prompt, case.expected_text) == (LEX[key], ("Communicate", "Execute"))
    assert case.tags == ("words:2", "colour:purple", "colour:yellow")


SENTENCES = {
    "index": 7,
    "prompt": "A book cover with 'Crime Scene' in bold and a title that says 'The Mystery'.",
    "carrier_list": ["cover", "title"],
    "sentence_list": ["a cover with 'Crime Scene' in bold", "a title that says 'The Mystery'"],
}


@pytest.mark.parametrize(
    "content",
    [
        {"data_list": [SENTENCES]},
        [SENTENCES],
        {"data_list": [{"index": 7, "prompt": SENTENCES["prompt"]}]},
        {"data": [{"id": 7, "caption": "x", "text_list": ["Crime Scene", "The Mystery"]}]},
    ],
)
def test_cvtg_is_read_in_its_likely_shapes(content: Any, tmp_path: Path) -> None:
    files = {"CVTG/2.json": json.dumps(content), "CVTG/2_combined.json": "not even JSON"}
    made = imported("cvtg-2k", write(tmp_path / "in", dict(files)), tmp_path / "cvtg")
    assert made.cases["plain-2-7"].expected_text == ("Crime Scene", "The Mystery")


def test_cvtg_keeps_its_two_folders_apart(tmp_path: Path) -> None:
    content = json.dumps({"data_list": [SENTENCES]})
    files = write(tmp_path / "in", {"CVTG/2.json": content, "CVTG-style/2.json": content})
    assert set(imported("cvtg-2k", files, tmp_path / "cvtg").cases) == {"plain-2-7", "style-2-7"}


def test_mario_eval(tmp_path: Path) -> None:
    text = "a sign that says 'Let's go'\nno text at all\n"
    made = imported("mario-eval", write(tmp_path / "in", {"DrawTextCreative.txt": text}), tmp_path / "mario")
    assert made.cases["drawtextcreative-0000"].expected_text == ("Let's go",)
    assert sum(made.told.skipped.values()) == 1
