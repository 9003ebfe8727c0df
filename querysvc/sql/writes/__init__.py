"""CREATE TABLE AS, INSERT and UNLOAD: from text to a checked write."""

from querysvc.sql.writes.analyser import (
    analyse_write,
    check_syntax,
    is_create_table_as,
    is_write,
)

__all__ = ["analyse_write", "check_syntax", "is_create_table_as", "is_write"]
