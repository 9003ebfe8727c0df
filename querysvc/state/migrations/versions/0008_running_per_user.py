"""Add how many queries of its principal may run beside a query."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("query_executions", sa.Column("running_per_user_max", sa.Integer()))


def downgrade() -> None:
    """Take back."""
    op.drop_column("query_executions", "running_per_user_max")
