"""The derived DuckDB database: built from the facts, read by everybody, deleted at will."""

from evalkit.warehouse.build import connect, create_schema, refresh

__all__ = ["connect", "create_schema", "refresh"]
