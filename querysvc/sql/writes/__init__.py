"""CREATE TABLE AS, INSERT and UNLOAD: from text to a checked write."""

from querysvc.sql.writes.analyser import analyse_write, is_write

__all__ = ["analyse_write", "is_write"]
