"""Where facts and bytes are kept: journals, objects, the workspace and its locks."""

from evalkit.store.disk import storage_errors, write_atomically
from evalkit.store.journal import Dropped, Journal, Record, read_records
from evalkit.store.locks import exclusive
from evalkit.store.objects import ObjectStore
from evalkit.store.workspace import Workspace

__all__ = [
    "Dropped",
    "Journal",
    "ObjectStore",
    "Record",
    "Workspace",
    "exclusive",
    "read_records",
    "storage_errors",
    "write_atomically",
]
