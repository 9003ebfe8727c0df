"""A typed generator of statements, and the comparison of their answers with a real Trino's."""
