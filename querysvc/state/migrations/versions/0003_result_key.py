"""Add the digest by which an equal result is found again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("query_executions", sa.Column("result_key", sa.String(length=64)))
    op.create_index("ix_query_executions_result_key", "query_executions", ["result_key"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_query_executions_result_key", "query_executions")
    op.drop_column("query_executions", "result_key")
