"""Readers: from a table scan to SQL that yields its rows in storage forms."""
