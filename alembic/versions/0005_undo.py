"""When somebody changed their name; what was deleted of messages and can be undone for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("user", sa.Column("renamed", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_user_renamed", "user", ["renamed"])
    op.create_table(
        "deletion",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"]),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("ix_deletion_at", "deletion", ["at"])


def downgrade() -> None:
    op.drop_table("deletion")
    op.drop_index("ix_user_renamed", "user")
    op.drop_column("user", "renamed")
