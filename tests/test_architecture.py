"""The shape of the house: imports go down, start-up is light, functions stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "evalkit"

LAYERS = (
    {
        "types",
        "errors",
        "ids",
        "images",
        "resources",
        "clock",
        "progress",
        "plugins",
        "workers",
        "http",
        "evalkit",
    },
    {"store", "studio", "stats"},
    {"suite", "weights"},
    {"warehouse", "providers", "remote", "fakes", "metrics", "preference", "runs"},
    {"runner", "judge", "study", "leaderboard"},
    {"report", "results", "raters_app"},
    {"cli", "__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = (
    "torch",
    "open_clip",
    "lpips",
    "rapidocr",
    "cv2",
    "skimage",
    "duckdb",
    "pandas",
    "streamlit",
    "altair",
    "scipy",
)


def modules() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *(ROOT / "raters_app").rglob("*.py")])


def layer_of(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[1] if parts[0] == "evalkit" and len(parts) > 1 else parts[0]


def own_layer(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return layer_of(".".join(part for part in parts if part != "__init__"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {layer_of(name) for name in found if name.split(".")[0] in ("evalkit", "raters_app")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path: Path) -> None:
    own = own_layer(path)
    if own == "evalkit":
        return
    upward = {name for name in imported(path) if LEVEL[name] > LEVEL[own]}
    assert not upward, f"{path.name} is in {own!r} and imports {sorted(upward)}"


def test_every_layer_is_known() -> None:
    assert {own_layer(path) for path in modules()} <= set(LEVEL)


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in result.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import evalkit",
        "from evalkit.cli.main import COMMANDS",
        "import evalkit.cli.run",
        "from evalkit.metrics.registry import known; known()",
        "from evalkit.providers.systems import providers; providers()",
        "import evalkit.study.http",
    ],
)
def test_nothing_heavy_is_imported_early(statement: str) -> None:
    assert loaded_by(statement).isdisjoint(HEAVY)


def test_only_one_module_imports_httpx() -> None:
    users = [path.name for path in modules() if any(
        isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.split(".")[0] == "httpx" for name in _names(node))
        for node in ast.walk(ast.parse(path.read_text()))
    )]  # fmt: skip
    assert users == ["http.py"]


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def functions(path: Path) -> list[tuple[str, int, int]]:
    """Name, lines without the docstring, and parameters of every function."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            lines = (
                (node.end_lineno or node.lineno)
                - node.lineno
                + 1
                - (docstring.count("\n") + 1 if docstring else 0)
            )
            args = [a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
            found.append(
                (f"{path.name}:{node.name}", lines, len([a for a in args if a not in ("self", "cls")]))
            )
    return found


def test_functions_are_small() -> None:
    every = sorted(lines for path in modules() for _, lines, _ in functions(path))
    median, ninetieth = every[len(every) // 2], every[len(every) * 9 // 10]
    assert median <= 10
    assert ninetieth <= 35
    assert not [f for path in modules() for f in functions(path) if f[1] > 60]


def test_files_are_short() -> None:
    too_long = {path.name: n for path in modules() if (n := len(path.read_text().splitlines())) > 400}
    assert not too_long


def test_every_module_says_what_it_knows() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_layers_are_listed_once() -> None:
    assert all(low.isdisjoint(high) for low, high in pairwise(LAYERS))


def test_no_path_of_one_machine_in_the_tree() -> None:
    forbidden = ("/" + "work/", "/" + "home/", "/" + "root/")
    texts = [
        p
        for p in ROOT.rglob("*")
        if p.suffix in {".py", ".md", ".toml", ".jsonl", ".sql", ".json"} and ".git" not in p.parts
    ]
    tracked = [
        p
        for p in texts
        if not any(part.startswith(".") or part in ("venv", "dist") for part in p.relative_to(ROOT).parts)
    ]
    assert [str(p) for p in tracked if any(word in p.read_text(errors="replace") for word in forbidden)] == []
