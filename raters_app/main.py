"""The Streamlit script: an empty wide page with the pair view on it.

Streamlit runs it once per visitor. Votes do not come this way, so it is not run again while somebody rates.
"""

from __future__ import annotations

import streamlit as st

from raters_app import serving
from raters_app.pair_view import pair_view

BARE_PAGE = """<style>
[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: 0; max-width: none; }
[data-testid="stVerticalBlock"] { gap: 0; }
[data-testid="stElementContainer"]:has(style) { display: none; }
</style>"""

service = serving.service()
st.set_page_config(page_title=service.definition.title, layout="wide")
st.html(BARE_PAGE)
pair_view(service)
serving.settle()
