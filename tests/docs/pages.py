"""Taking code out of a page."""

from __future__ import annotations

import re


def blocks(text: str, opening: str) -> list[str]:
    """The code blocks of a page that open with ```` ```opening ````."""
    return re.findall(rf"^```{re.escape(opening)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
