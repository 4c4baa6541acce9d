"""How far somebody has read a thread, member or not; how often a message was edited."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "reading",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.String(22), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"]),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"]),
        sa.PrimaryKeyConstraint("user_id", "thread_id"),
    )
    op.create_index("ix_reading_thread_id", "reading", ["thread_id"])
    op.drop_column("member", "last_read")
    op.add_column("message", sa.Column("edits", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("message", "edits")
    op.add_column("member", sa.Column("last_read", sa.Integer(), nullable=False, server_default="0"))
    op.drop_table("reading")
