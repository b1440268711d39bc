"""A run as it lies in a workspace: its plan, and what its journal says has happened."""

from evalkit.runs.history import MICRO, Gone, History, Step, known_jobs, read_generations, read_history
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
from evalkit.runs.trials import Trials

__all__ = [
    "MICRO",
    "Gone",
    "History",
    "Plan",
    "PlannedCase",
    "PlannedSystem",
    "Step",
    "SuiteFacts",
    "Trials",
    "known_jobs",
    "load_plan",
    "plan_content",
    "plan_from_json",
    "plan_path",
    "plan_to_json",
    "read_generations",
    "read_history",
    "save_plan",
]
