"""Trino's functions on DuckDB: one table per family, an entry per function or signature."""
