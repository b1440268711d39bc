"""The ASGI application: Streamlit for the shell, our own routes for votes and pictures, one process.

Both `streamlit run raters_app/app.py` and any ASGI server can start it; `run.serve` is the way evalkit does.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse
from starlette.routing import Route

from evalkit.study.http import routes
from raters_app import serving
from raters_app.pair_view import FOLDER
from raters_app.security import Security


@contextlib.asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """The study is opened before the first visitor comes, and closed with its votes synced."""
    serving.service()
    try:
        yield
    finally:
        serving.close()


async def icon(_: Any) -> FileResponse:
    """Our icon in the place of Streamlit's; icons named in Streamlit come from a font server elsewhere."""
    return FileResponse(FOLDER / "favicon.png")


app = st.App(
    Path(__file__).with_name("main.py"),
    routes=[*routes(serving.service), Route("/favicon.png", icon)],
    middleware=[
        Middleware(Security),
        Middleware(TrustedHostMiddleware, allowed_hosts=serving.allowed_hosts(), www_redirect=False),
    ],
    lifespan=lifespan,
)
