"""Add the bytes that were read, by hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "usage_hours",
        sa.Column("scope", sa.String(length=320), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("scanned_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "hour", name="pk_usage_hours"),
        comment="Bytes that were read, or are about to be, by work group and by principal.",
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("usage_hours")
