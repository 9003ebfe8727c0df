"""Trino's functions and operators: their signatures as data, and which one a call means."""
