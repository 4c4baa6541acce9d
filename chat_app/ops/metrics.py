"""Metrics: what this process has done, counted and timed in Prometheus's format."""

from collections.abc import Callable
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from sqlalchemy import event

from chat_app.data.db import Database
from tributary_streams import TERMINAL_STATUSES, Stream

FIRST_DELTA = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Bucket limits in seconds: how soon models usually begin to answer, up to the time they are given."""
LAG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
FLUSH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15)
"""Bucket limits in seconds; a transaction that takes longer than the last one is dropped and tried again."""


class Metrics:
    """The metrics of one server. Its counters begin at zero when it starts, as Prometheus expects."""

    def __init__(self, database: Database) -> None:
        """The statements of `database` are counted."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._ended = Counter("tributary_replies", "Replies written to their end here.", ["status"], registry=registry)
        for status in TERMINAL_STATUSES:
            self._ended.labels(status.value)
        self._deltas = Counter("tributary_deltas", "Deltas that came in these replies.", registry=registry)
        self._chunks = Counter("tributary_chunks", "Chunks that were stored of them.", registry=registry)
        self._first_delta = Histogram(
            "tributary_first_delta_seconds",
            "From asking to the first text.",
            buckets=FIRST_DELTA,
            registry=registry,
        )
        self._lag = Histogram(
            "tributary_lag_seconds",
            "The longest that a chunk of a reply took from its commit to those who follow here.",
            buckets=LAG,
            registry=registry,
        )
        self._flush = Histogram(
            "tributary_flush_seconds", "Transactions that store replies.", buckets=FLUSH, registry=registry
        )
        self._statements = Counter("tributary_statements", "Statements to the database.", registry=registry)
        for engine in {database.engine.sync_engine, database.writer.sync_engine}:
            event.listen(engine, "after_cursor_execute", self._note_statement)

    def watch(self, name: str, meaning: str, count: Callable[[], float]) -> None:
        """Add a gauge that shows what `count` returns at the moment."""
        Gauge(f"tributary_{name}", meaning, registry=self._registry).set_function(count)

    def reply_ended(self, stream: Stream) -> None:
        """Note that a reply was written to its end here."""
        self._ended.labels(stream.status.value).inc()
        self._deltas.inc(stream.deltas)
        self._chunks.inc(stream.chunks)
        if stream.first_delta is not None:
            # The wall clock may step back between the two.
            self._first_delta.observe(max(0.0, (stream.first_delta - stream.created) / timedelta(seconds=1)))
        if stream.rows_read:
            self._lag.observe(stream.lag_ms / 1000)

    def flushed(self, seconds: float) -> None:
        """Note how many seconds a transaction that stores replies took."""
        self._flush.observe(seconds)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the format that an Accept header asks for, and the media type of that format."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    def _note_statement(self, *_: object) -> None:
        self._statements.inc()
