"""Votes as files: tables that others made become imported studies, and any study becomes a table.

`columns` names the columns and knows how others call them, `tables` opens a file, `faults` says what is
wrong with its rows, `importing` writes an imported study, `exporting` writes a study to a file and `card`
says beside it what is in there. Rows are gone through by DuckDB; none becomes a Python object.
"""

from evalkit.study.votefiles.exporting import Exported, ExportOptions, export_votes
from evalkit.study.votefiles.importing import Imported, ImportOptions, import_votes

__all__ = ["ExportOptions", "Exported", "ImportOptions", "Imported", "export_votes", "import_votes"]
