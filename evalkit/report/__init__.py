"""The report: one HTML file that says what was found, how surely, and what it looks like."""

from evalkit.report.build import Inputs, Report, build_report
from evalkit.report.context import Context
from evalkit.report.definition import Definition, load_definition
from evalkit.report.sections import Section

__all__ = ["Context", "Definition", "Inputs", "Report", "Section", "build_report", "load_definition"]
