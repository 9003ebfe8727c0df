"""Trino's type algebra: the types, their texts, and how they coerce; standard library only."""
