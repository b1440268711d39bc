"""Finding out by experiment what a provider does not document; see `probe` and `facts`."""

from evalkit.runner.probing.facts import Fact, facts_path, keep_facts, place, read_facts
from evalkit.runner.probing.looks import Look
from evalkit.runner.probing.probe import Probe, ProbeReport, Result, Target

__all__ = [
    "Fact",
    "Look",
    "Probe",
    "ProbeReport",
    "Result",
    "Target",
    "facts_path",
    "keep_facts",
    "place",
    "read_facts",
]
