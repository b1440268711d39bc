"""A run as it lies in a workspace: its plan, and what its journal says has happened."""

from evalkit.runs.history import History, TrialState, read_history
from evalkit.runs.plan import (
    Plan,
    PlannedCase,
    PlannedSystem,
    SuiteFacts,
    load_plan,
    plan_content,
    plan_from_json,
    plan_path,
    plan_to_json,
    save_plan,
)

__all__ = [
    "History",
    "Plan",
    "PlannedCase",
    "PlannedSystem",
    "SuiteFacts",
    "TrialState",
    "load_plan",
    "plan_content",
    "plan_from_json",
    "plan_path",
    "plan_to_json",
    "read_history",
    "save_plan",
]
