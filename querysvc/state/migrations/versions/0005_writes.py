"""Add the records of writes: what may have to be taken back, and what is visible."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "writes",
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("has_data", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("commit_sequence", sa.BigInteger()),
        sa.Column("committed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_writes")),
    )
    op.create_index("ix_writes_commit_sequence", "writes", ["commit_sequence"])
    clock = op.create_table(
        "write_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_clock")),
        comment="One row: how many writes were committed. Its lock puts commits in order.",
    )
    op.bulk_insert(clock, [{"id": 1, "commits": 0}])


def downgrade() -> None:
    """Take back."""
    op.drop_table("write_clock")
    op.drop_table("writes")
