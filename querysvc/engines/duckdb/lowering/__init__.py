"""Lowering: from the typed tree to DuckDB SQL (`lower.lower` is the way in)."""
