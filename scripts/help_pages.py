"""Write the help of every command into docs/user-guide.md, between its two markers; `--check` only compares.

It knows the shape of a page and where the pages go; what they say is for `evalkit/cli`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from evalkit.cli.main import app

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "user-guide.md"
BEGIN = "<!-- help pages: written by scripts/help_pages.py, not by hand -->\n"
END = "<!-- end of help pages -->\n"
WIDTH = 100
_SHELL_COMPLETION = ("install_completion", "show_completion")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command and subcommand with its context, as `evalkit suite list`, groups before their members."""
    root = typer.main.get_command(app)
    yield from _below(root, "evalkit", None)


def rendered() -> str:
    """The chapter between the markers: one heading and one block of help per command."""
    return "\n".join(f"### {name}\n\n```text\n{_help(context)}\n```\n" for name, context in commands())


def split(guide: str) -> tuple[str, str, str]:
    """The guide before, between and after the markers. Raises `ValueError` if they are not there once."""
    before, rest = guide.split(BEGIN)
    between, after = rest.split(END)
    return before, between, after


def main() -> None:
    """Write the chapter, or with `--check` end with 1 if it is not what it would be."""
    before, between, after = split(GUIDE.read_text("utf-8"))
    current = f"\n{rendered()}\n"
    if "--check" in sys.argv[1:]:
        sys.exit("The help pages are out of date: python scripts/help_pages.py" if between != current else 0)
    GUIDE.write_text(before + BEGIN + current + END + after, "utf-8")


def _below(command: Any, name: str, parent: Any) -> Iterator[tuple[str, Any]]:
    context = command.context_class(
        command, info_name=name.split()[-1], parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    context.help_option_names = ["-h", "--help"]
    yield name, context
    for sub in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from _below(command.get_command(context, sub), f"{name} {sub}", context)


def _help(context: Any) -> str:
    """Plain text: a page is read in a document, without boxes and without the shell's own options."""
    command = context.command
    command.rich_markup_mode = None
    command.params = [param for param in command.params if param.name not in _SHELL_COMPLETION]
    return str(command.get_help(context)).rstrip()


if __name__ == "__main__":
    main()
