"""Columns that any table can have: UTC times, enums by value, ids that cannot be guessed."""

import secrets
import string
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, Enum, TypeDecorator

ID_ALPHABET = string.ascii_letters + string.digits
ID_LENGTH = 22


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on every database. SQLite drops the time zone; reading puts it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Store in UTC; refuse a naive time, because its zone is unknown."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a naive datetime cannot be stored: give it a time zone"
            raise ValueError(msg)
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Read as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def string_enum(kind: type[StrEnum]) -> Enum:
    """A column type that stores an enum by its value, as plain text, on every database."""

    def values(members: type[StrEnum]) -> list[str]:
        return [member.value for member in members]

    return Enum(kind, native_enum=False, length=16, values_callable=values)


def utc_now() -> datetime:
    """The wall clock, for times in tables. The core decides nothing by it; leases and timers use a monotonic clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id that cannot be guessed: 131 random bits as 22 letters and digits, so it never looks like an option."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
