"""How every command of ours is made: plain help that keeps brackets, no shell completion to install."""

from __future__ import annotations

import typer


def make_app(help_text: str = "") -> typer.Typer:
    """A command, or with `help_text` a group of commands that shows its help when called alone."""
    return typer.Typer(
        add_completion=False,
        help=help_text or None,
        no_args_is_help=bool(help_text),
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
