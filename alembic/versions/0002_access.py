"""Access: bearer tokens and ended sessions, invites, and when who may do what in a thread changed last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BEFORE = "1970-01-01 00:00:00.000000"


def upgrade() -> None:
    op.create_table(
        "invite",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("thread_id", sa.String(22), nullable=False),
        sa.Column(
            "role",
            sa.Enum("owner", "member", "viewer", name="memberrole", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("ix_invite_thread_id", "invite", ["thread_id"])
    # As SQL, because Alembic adds no column with a reference on SQLite.
    op.execute("ALTER TABLE member ADD COLUMN invite_id INTEGER REFERENCES invite (id)")

    op.add_column(
        "session",
        sa.Column(
            "kind",
            sa.Enum("cookie", "bearer", name="sessionkind", native_enum=False, length=16),
            nullable=False,
            server_default="cookie",
        ),
    )
    op.add_column("session", sa.Column("name", sa.String(60), nullable=False, server_default=""))
    op.add_column("session", sa.Column("ended", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_session_ended", "session", ["ended"])

    op.add_column("thread", sa.Column("access_version", sa.Integer(), nullable=False, server_default="0"))
    op.add_column(
        "thread", sa.Column("changed", sa.DateTime(timezone=True), nullable=False, server_default=BEFORE)
    )
    op.create_index("ix_thread_changed", "thread", ["changed"])


def downgrade() -> None:
    op.drop_index("ix_thread_changed", "thread")
    op.drop_column("thread", "changed")
    op.drop_column("thread", "access_version")
    op.drop_index("ix_session_ended", "session")
    op.drop_column("session", "ended")
    op.drop_column("session", "name")
    op.drop_column("session", "kind")
    op.drop_column("member", "invite_id")
    op.drop_table("invite")
