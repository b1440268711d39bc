"""The time of day, written the one way evalkit writes it: UTC, ISO 8601, microseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """For example `2026-11-20T10:59:01.123456Z`; as text it sorts by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:26] + "Z"
