"""The streaming core: streams of text that survive their readers, their writer's process and the network.

It knows nothing of the application around it: give it transactions, and any async iterator of text as a source.
"""

from chat_app.streaming.chunker import Chunker, ChunkRule, Granularity
from chat_app.streaming.errors import LeaseLost, SourceEndedEarly, SourceError, StreamingError, UnknownStream
from chat_app.streaming.flusher import ClosingHook, Flusher
from chat_app.streaming.hub import GrowingText, Hub
from chat_app.streaming.reader import Body, End, Piece, body, follow
from chat_app.streaming.store import Ending, Lease, Transactions, Usage
from chat_app.streaming.streams import Streams, create_tables
from chat_app.streaming.sweeper import Sweeper
from chat_app.streaming.tables import LIVE_STATUSES, TERMINAL_STATUSES, Chunk, Stream, StreamId, StreamStatus
from chat_app.streaming.tailer import Probe, Tail, Tailer
from chat_app.streaming.transactions import EngineTransactions
from chat_app.streaming.writer import Finish, Patience, Source, Writer, finished

__all__ = [
    "LIVE_STATUSES",
    "TERMINAL_STATUSES",
    "Body",
    "Chunk",
    "ChunkRule",
    "Chunker",
    "ClosingHook",
    "End",
    "Ending",
    "EngineTransactions",
    "Finish",
    "Flusher",
    "Granularity",
    "GrowingText",
    "Hub",
    "Lease",
    "LeaseLost",
    "Patience",
    "Piece",
    "Probe",
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
    "Writer",
    "body",
    "create_tables",
    "finished",
    "follow",
]
