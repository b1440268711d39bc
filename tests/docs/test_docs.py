"""The documents are complete and agree with the code: commands, links, tree, tables, pins."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import help_pages
import pytest
import typer.main
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from evalkit import errors
from evalkit.cli.main import app
from evalkit.errors import EvalkitError
from evalkit.warehouse import create_schema

ROOT = Path(__file__).resolve().parents[2]
FRONT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = sorted(
    [ROOT / name for name in FRONT] + [p for d in ("docs", "suites") for p in (ROOT / d).rglob("*.md")]
)
PAGE_NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
COMMANDS = list(help_pages.commands())


# Commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "context"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_is_in_the_guide_and_explains_itself(name: str, context: Any, guide: str) -> None:
    assert f"\n### {name}\n" in guide
    assert context.command.help
    options = [param for param in context.command.params if param.name != "help"]
    assert [param.name for param in options if not param.help] == []


def test_the_help_pages_are_current(guide: str) -> None:
    _, between, _ = help_pages.split(guide)
    assert between == f"\n{help_pages.rendered()}\n", "run: python scripts/help_pages.py"


def command_lines() -> Iterator[tuple[str, str]]:
    for page, name in zip(PAGES, PAGE_NAMES, strict=True):
        for block in re.findall(
            r"^```console\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
                yield from ((name, part) for part in line.split(" && ") if re.search(r"\bevalkit ", part))


@pytest.mark.parametrize(("page", "line"), list(command_lines()))
def test_every_command_line_in_the_pages_can_be_parsed(page: str, line: str) -> None:
    program, *args = shlex.split(line)
    assert Path(program).name == "evalkit"
    command: Any = typer.main.get_command(app)
    while hasattr(command, "list_commands"):
        command = command.get_command(None, args.pop(0))
        assert command is not None
    command.make_context("evalkit", args)


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_listings_name_commands_that_exist(page: Path) -> None:
    listed = re.findall(r"^ {4}evalkit ([a-z]+)\b", page.read_text("utf-8"), re.MULTILINE)
    assert set(listed) <= {name.split()[1] for name, _ in COMMANDS if name != "evalkit"}


def test_the_guide_lists_the_commands_that_speak_json(guide: str) -> None:
    chapter = guide.split("\n## JSON\n")[1].split("\n## ")[0]
    speaking = {
        name for name, context in COMMANDS if any(p.name == "as_json" for p in context.command.params)
    }
    assert {name for name in speaking if f"`{name.removeprefix('evalkit ')}`" not in chapter} == set()


def source(folder: str) -> str:
    return "".join(path.read_text("utf-8") for path in (ROOT / folder).rglob("*.py"))


# What the guide's tables must hold ---------------------------------------------------------------------


def test_the_guide_lists_every_exit_code(guide: str) -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    raised = {cls.exit_code for cls in classes if issubclass(cls, EvalkitError)}
    chapter = guide.split("\n## Exit codes\n")[1].split("\n## ")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", chapter, re.MULTILINE)}
    assert raised | {0, 1, 4, 130} == listed


def test_the_guide_lists_every_table_and_view(guide: str) -> None:
    with duckdb.connect() as db:
        create_schema(db)
        names = {row[0] for row in db.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    chapter = guide.split("\n## SQL\n")[1].split("\n## ")[0]
    cells = " ".join(re.findall(r"^\| ([^|]*) \|", chapter, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", cells)) == names


def test_the_guide_lists_every_environment_variable(guide: str) -> None:
    code = source("evalkit") + source("raters_app")
    used = set(re.findall(r"\b(?:EVALKIT|HF|TORCH|XDG)_[A-Z_]+[A-Z]\b", code))
    chapter = guide.split("\n## Environment\n")[1].split("\n## ")[0]
    assert used - set(re.findall(r"`([A-Z_]+)`", chapter)) == set()


def test_the_kinds_of_failure_are_those_in_the_code() -> None:
    page = (ROOT / "docs" / "providers.md").read_text("utf-8")
    table = page.split("`kind` says why something failed:")[1].split("\n\n")[1]
    listed = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert listed == set(re.findall(r"""Failed\("(\w+)\"""", source("evalkit")))


# Pages -------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """GitHub's names for the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"https?:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_pages_are_finished(page: Path) -> None:
    assert not re.search(r"\b(TODO|TBD|FIXME|XXX)\b", page.read_text("utf-8"))


def test_every_page_is_one_click_from_the_readme(readme: str) -> None:
    pages = {page for page in PAGE_NAMES if re.fullmatch(r"docs/(extending/)?[\w-]+\.md", page)}
    assert pages - set(re.findall(r"\]\(([^)#]+)", readme)) == set()


def test_decisions_are_numbered_and_short() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in decisions] == [f"{n:03d}-" for n in range(1, len(decisions) + 1)]
    for page in decisions:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {page.name[:3]}: ")
        assert "**Decided.**" in text
        assert len(text.splitlines()) <= 30


# README and CI -------------------------------------------------------------------------------------------


def tree(readme: str) -> dict[str, str]:
    """Path -> comment of the README's tree; folders end with a slash."""
    (block,) = re.findall(r"^## The tree\n\n```text\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    above: list[str] = []
    for line in block.splitlines():
        ((indent, name, comment),) = re.findall(r"^( *)(\S+) *(.*)$", line)
        above = above[: len(indent) // 2]
        found["".join(above) + name] = comment
        above.append(name)
    return found


def two_levels(folder: str) -> set[str]:
    """Files and folders with files in them, as the tree writes them."""
    files = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in files if not {"__pycache__", "_bundle"} & set(path.parts)]
    folders = {parent for path in kept for parent in path.parents if 2 <= len(parent.parts) <= 3}
    return {path.as_posix() for path in kept if len(path.parts) <= 3} | {
        f"{path.as_posix()}/" for path in folders
    }


def test_the_tree_is_complete_and_true(readme: str) -> None:
    listed = tree(readme)
    suites = {
        path.parent.relative_to(ROOT).as_posix() + "/" for path in (ROOT / "suites").glob("*/suite.toml")
    }
    there = two_levels("evalkit") | two_levels("raters_app") | suites
    assert there - set(listed) == set(), "give each a line in README.md"
    assert [path for path in listed if not (ROOT / path).exists()] == []
    assert [path for path, comment in listed.items() if not comment] == []


def test_ci_runs_the_command_of_the_readme(readme: str) -> None:
    commands = re.findall(r"^\$ (python3 -m venv .*)$", readme, re.MULTILINE)
    demo, tests = commands
    assert demo.endswith(".venv/bin/evalkit demo")
    assert tests in (ROOT / ".ci" / "run").read_text("utf-8")
    assert tests in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_ci_can_be_executed() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_direct_dependency_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {
        canonicalize_name(r.name): r for line in lines if line and line[0] != "#" for r in [Requirement(line)]
    }
    for requirement in map(Requirement, wanted):
        pin = pins[canonicalize_name(requirement.name)]
        (version,) = pin.specifier
        assert version.operator == "=="
        assert requirement.specifier.contains(version.version), str(pin)
