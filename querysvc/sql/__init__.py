"""SQL: from text to a checked, typed statement."""
