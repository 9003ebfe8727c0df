"""Athena's DDL and utility statements: text to typed statements (Hive's and Trino's spelling)."""

from querysvc.sql.ddl.parser import parse_ddl
from querysvc.sql.ddl.statements import Statement

__all__ = ["Statement", "parse_ddl"]
