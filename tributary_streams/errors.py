"""What can go wrong in the streaming core.

StreamingError
├── UnknownStream      no stream has that id
├── LeaseLost          another writer has claimed the stream, or it has ended
├── NotTransactions    (also a TypeError) a program's own transactions lack the protocol's methods
└── SourceError        the model failed; its reason may be shown to people
    └── SourceEndedEarly
"""

from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class StreamingError(Exception):
    """Base of all errors of the streaming core."""


class UnknownStream(StreamingError):
    """No stream has this id: it was deleted or never existed."""


class LeaseLost(StreamingError):
    """Another writer has claimed the stream, or it has ended. Write nothing more to it."""


class NotTransactions(StreamingError, TypeError):
    """An object cannot be used as `Transactions`: its methods take other arguments, or give no context manager."""


class SourceError(StreamingError):
    """The model failed. `reason` is a short sentence for people; it must not contain a key, an address or a trace."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SourceEndedEarly(SourceError):
    """The source ended without saying why. Only a `Finish` makes a stream `done`."""

    def __init__(self) -> None:
        super().__init__("The model broke off without finishing.")


DATABASE_AWAY = (OperationalError, InterfaceError, DisconnectionError, PoolTimeoutError, OSError)
"""What a database that is away for now raises. `OSError` is the network's, and includes `TimeoutError`."""
