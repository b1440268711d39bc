"""The pair view: a Streamlit component made of the files in `component/`, without any build step.

The JavaScript files are joined in this order into the one module Streamlit wants; each uses what the
earlier ones define.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from evalkit.study.service import StudyService

FOLDER = Path(__file__).parent / "component"
SCRIPTS = ("votes.js", "stage.js", "view.js", "rater.js")


def pair_view(service: StudyService) -> None:
    """Put the pair view on the page. It fetches its ballots itself; Streamlit only tells it the questions."""
    mount = st.components.v2.component(
        "evalkit_pair",
        html=(FOLDER / "pair.html").read_text("utf-8"),
        css=(FOLDER / "pair.css").read_text("utf-8"),
        js="\n".join((FOLDER / name).read_text("utf-8") for name in SCRIPTS),
    )
    mount(key="pair", data=page_data(service))


def page_data(service: StudyService) -> dict[str, Any]:
    """What the page knows about the study: its title and its questions, nothing about systems."""
    study = service.definition
    return {
        "title": study.title,
        "criteria": [asdict(criterion) for criterion in study.criteria],
        "min_view_ms": service.options.min_view_ms,
    }
