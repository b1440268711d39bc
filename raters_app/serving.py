"""The one study this process serves, shared by the routes and the Streamlit script.

`EVALKIT_RATE_WORKSPACE` and `EVALKIT_RATE_STUDY` say which, `EVALKIT_RATE_HOST` where it listens;
`EVALKIT_RATE_MIN_VIEW_MS` may set a shortest viewing time.
"""

from __future__ import annotations

import gc
import os
import threading

from evalkit.errors import UsageError
from evalkit.store import Workspace
from evalkit.study.service import ServiceOptions, StudyService

WORKSPACE = "EVALKIT_RATE_WORKSPACE"
STUDY = "EVALKIT_RATE_STUDY"
HOST = "EVALKIT_RATE_HOST"
MIN_VIEW = "EVALKIT_RATE_MIN_VIEW_MS"
DEFAULT_MIN_VIEW_MS = 300
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")

_lock = threading.Lock()
_service: StudyService | None = None
_settled = False


def service() -> StudyService:
    """The open study; opened on first use."""
    global _service  # noqa: PLW0603 - one process serves one study; Streamlit re-runs scripts, not modules
    with _lock:
        if _service is None:
            _service = _open()
        return _service


def close() -> None:
    """Sync the votes and let go of the study."""
    global _service  # noqa: PLW0603 - see `service`
    with _lock:
        if _service is not None:
            _service.close()
            _service = None


def allowed_hosts() -> list[str]:
    """The names this app answers to: loopback only, unless it listens elsewhere too.

    Otherwise a page of any name that somebody points at 127.0.0.1 could vote in our raters' browsers.
    """
    return list(LOOPBACK) if os.environ.get(HOST, LOOPBACK[0]) in LOOPBACK else ["*"]


def settle() -> None:
    """Once everything is loaded, take it out of the garbage collector's sight.

    Streamlit collects after every run of the script, and with pandas loaded each of these pauses costs
    about a tenth of a second of everybody's time.
    """
    global _settled  # noqa: PLW0603 - see `service`
    with _lock:
        if not _settled:
            gc.collect()
            gc.freeze()
            _settled = True


def _open() -> StudyService:
    workspace, study = os.environ.get(WORKSPACE), os.environ.get(STUDY)
    if not workspace or not study:
        raise UsageError(
            f"{WORKSPACE} and {STUDY} do not say which study to serve",
            "Start the app with: evalkit rate STUDY",
        )
    shortest = int(os.environ.get(MIN_VIEW, DEFAULT_MIN_VIEW_MS))
    return StudyService(Workspace.open(workspace, create=False), study, ServiceOptions(min_view_ms=shortest))
