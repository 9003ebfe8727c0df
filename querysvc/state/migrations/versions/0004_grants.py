"""Add permissions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "grants",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("grantee", sa.String(length=320), nullable=False),
        sa.Column("is_revoked", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
    )
    op.create_index("ix_grants_grantee_is_revoked", "grants", ["grantee", "is_revoked"])
    op.create_index("ix_grants_kind", "grants", ["kind"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("grants")
