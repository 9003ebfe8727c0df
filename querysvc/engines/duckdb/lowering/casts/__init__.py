"""CASTs between the types for which Trino has them: a table per kind of target."""
