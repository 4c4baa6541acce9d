"""The streaming core: streams of text that survive their readers, their writer's process and the network.

It is independent of any application: give it transactions, and an async iterator of text as a source.
"""

from tributary_streams.chunker import Chunker, ChunkRule, Granularity
from tributary_streams.columns import UtcDateTime, new_id, string_enum, utc_now
from tributary_streams.errors import (
    DATABASE_AWAY,
    LeaseLost,
    NotTransactions,
    SourceEndedEarly,
    SourceError,
    StreamingError,
    UnknownStream,
)
from tributary_streams.flusher import ClosingHook, ExplainHook, Flusher
from tributary_streams.hub import GrowingText, Hub
from tributary_streams.reader import Body, End, Piece, body, follow
from tributary_streams.store import (
    Ending,
    QueuedTransactions,
    Transactions,
    Usage,
    close_pending,
    create_stream,
    delete_streams,
    keep_waiting,
    note_reads,
    prune_chunks,
    read_stream,
    read_text,
    request_stop,
)
from tributary_streams.streams import Streams, create_tables
from tributary_streams.sweeper import Sweeper
from tributary_streams.tables import LIVE_STATUSES, TERMINAL_STATUSES, Chunk, Stream, StreamId, StreamStatus
from tributary_streams.tailer import Probe, Row, Tail, Tailer, probe_row
from tributary_streams.text import clean
from tributary_streams.transactions import BUSY_TIMEOUT_MS, EngineTransactions, prepare_sqlite
from tributary_streams.writer import STOPPED, ClaimHook, Finish, Patience, Source, Writer, finished

__all__ = [
    "BUSY_TIMEOUT_MS",
    "DATABASE_AWAY",
    "LIVE_STATUSES",
    "STOPPED",
    "TERMINAL_STATUSES",
    "Body",
    "Chunk",
    "ChunkRule",
    "Chunker",
    "ClaimHook",
    "ClosingHook",
    "End",
    "Ending",
    "EngineTransactions",
    "ExplainHook",
    "Finish",
    "Flusher",
    "Granularity",
    "GrowingText",
    "Hub",
    "LeaseLost",
    "NotTransactions",
    "Patience",
    "Piece",
    "Probe",
    "QueuedTransactions",
    "Row",
    "Source",
    "SourceEndedEarly",
    "SourceError",
    "Stream",
    "StreamId",
    "StreamStatus",
    "StreamingError",
    "Streams",
    "Sweeper",
    "Tail",
    "Tailer",
    "Transactions",
    "UnknownStream",
    "Usage",
    "UtcDateTime",
    "Writer",
    "body",
    "clean",
    "close_pending",
    "create_stream",
    "create_tables",
    "delete_streams",
    "finished",
    "follow",
    "keep_waiting",
    "new_id",
    "note_reads",
    "prepare_sqlite",
    "probe_row",
    "prune_chunks",
    "read_stream",
    "read_text",
    "request_stop",
    "string_enum",
    "utc_now",
]
