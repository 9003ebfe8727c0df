"""The use cases: submit, watch, cancel, read; whatever wire asks, it asks here."""
