"""The one Alembic chain of the state and the catalog."""
