"""The core as a library: in a program of its own, with any async iterator of text, and nothing of the app."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.core import HandFed
from tributary_streams import (
    End,
    EngineTransactions,
    Finish,
    Piece,
    StreamId,
    Streams,
    StreamStatus,
    Sweeper,
    UnknownStream,
    create_tables,
)

PROJECT = Path(__file__).parents[2]
WITHIN = 30
"""Seconds after which a wait has failed."""


@pytest.fixture
async def transactions(tmp_path: Path) -> AsyncIterator[EngineTransactions]:
    """Those of a file that holds the core's two tables, and nothing else."""
    transactions = EngineTransactions(create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/streams.db"))
    await create_tables(transactions)
    yield transactions
    await transactions.close()


@pytest.fixture
async def streams(transactions: EngineTransactions) -> AsyncIterator[Streams]:
    async with Streams(transactions) as streams:
        yield streams


async def texts(*given: str) -> AsyncIterator[str]:
    for text in given:
        yield text


async def until_stored(streams: Streams, stream_id: StreamId, text: str) -> None:
    """Wait until a follower has seen this much."""
    seen = ""
    async with asyncio.timeout(WITHIN):
        async for piece in streams.follow(stream_id):
            assert isinstance(piece, Piece)
            seen += piece.text
            if seen == text:
                return


def run(code: str, folder: Path) -> str:
    """What a Python process of its own prints."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=WITHIN
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_documented_example_does_what_its_page_says(tmp_path: Path) -> None:
    page = (PROJECT / "docs/core.md").read_text()
    (example,) = re.findall(r"```python\n(\"\"\".*?)```", page, re.DOTALL)
    assert example == (PROJECT / "docs/core_example.py").read_text()

    lines = run(example, tmp_path).splitlines()

    assert lines[0].startswith("Piece(offset=0, text='This is sentence 1. ")
    assert lines[-2].startswith("End(status=<StreamStatus.STOPPED: 'stopped'>, reason='Stopped.', offset=")
    assert lines[-1].startswith("Body(text='This is sentence 2. This is sentence 3. ")


def test_the_core_brings_nothing_of_the_app_with_it(tmp_path: Path) -> None:
    loaded = run("import sys, tributary_streams; print(*sys.modules)", tmp_path).split()

    assert not {"chat_app", "reflex", "openai", "pydantic_settings"} & set(loaded)


class Documented:
    """Transactions with the two methods of the protocol, and nothing else."""

    def __init__(self, transactions: EngineTransactions) -> None:
        self.read = transactions.read
        self.write = transactions.write


class Mistaken(Documented):
    """Transactions that a program got wrong."""

    def write_soon(self, priority: int) -> None:
        """Cannot be called as the flusher calls it."""


async def test_transactions_of_ones_own_need_the_two_documented_methods(transactions: EngineTransactions) -> None:
    async with Streams(Documented(transactions)) as streams:
        stream_id = await streams.create()
        assert await streams.write(stream_id, texts("All of it."))
        assert (await streams.body(stream_id)).text == "All of it."


async def test_transactions_of_another_form_are_an_error_that_the_caller_hears(
    transactions: EngineTransactions, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(WITHIN), Streams(Mistaken(transactions)) as streams:
        for _ in range(2):  # a later one too
            with pytest.raises(TypeError):
                await streams.write(await streams.create(), texts("Lost."))
    assert "nothing can be stored" in caplog.text


async def test_a_stream_that_nobody_began_ends_or_is_started_and_is_never_forgotten(
    streams: Streams, transactions: EngineTransactions
) -> None:
    now, started = [0.0], asyncio.Queue[StreamId]()
    left = await streams.create()
    async with Streams(transactions, is_alone=lambda: True, start=started.put_nowait):
        assert await asyncio.wait_for(started.get(), WITHIN) == left

    ending = Sweeper(transactions, lambda: (), is_alone=lambda: True, expiry=30, clock=lambda: now[0])
    await ending.sweep()
    assert (await streams.body(left)).status is StreamStatus.PENDING  # its program may be about to begin it
    now[0] = 30.0
    await ending.sweep()
    assert [piece async for piece in streams.follow(left)] == [End(StreamStatus.ERROR, "The server restarted.", 0)]


async def test_a_plain_iterator_is_complete_when_it_ends(streams: Streams) -> None:
    stream_id = await streams.create()

    assert await streams.write(stream_id, texts("All ", "of it."))

    stored = await streams.body(stream_id)
    assert (stored.text, stored.status) == ("All of it.", StreamStatus.DONE)


async def test_a_model_that_does_not_say_that_it_has_finished_has_failed(streams: Streams) -> None:
    stream_id = await streams.create()

    await streams.write(stream_id, lambda: texts("All ", "of it?"))

    stored = await streams.body(stream_id)
    assert (stored.text, stored.status) == ("All of it?", StreamStatus.ERROR)


async def test_who_comes_late_from_any_offset_gets_the_rest(streams: Streams) -> None:
    stream_id = await streams.create()
    await streams.write(stream_id, texts("One. Two. ", "Three."))

    pieces = [piece async for piece in streams.follow(stream_id, 7)]

    assert pieces == [Piece(7, "o. Three."), End(StreamStatus.DONE, "", 16)]


async def test_stop_lets_go_of_the_source_and_keeps_its_text(streams: Streams) -> None:
    is_closed = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            yield "Said. And"
            await asyncio.Event().wait()
        finally:
            is_closed.set()

    stream_id = await streams.create()
    writing = streams.write(stream_id, endless())
    await until_stored(streams, stream_id, "Said. And")

    await streams.stop(stream_id)
    await writing

    assert is_closed.is_set()
    stored = await streams.body(stream_id)
    assert (stored.text, stored.status) == ("Said. And", StreamStatus.STOPPED)


async def test_what_was_stopped_before_it_began_never_begins(streams: Streams) -> None:
    stream_id, source = await streams.create(), HandFed()
    await streams.stop(stream_id)

    assert not await streams.write(stream_id, source)

    assert source.starts == 0
    assert (await streams.body(stream_id)).status is StreamStatus.STOPPED


async def test_a_stream_is_written_once(streams: Streams) -> None:
    stream_id, source = await streams.create(), HandFed()
    source.say("Once.", Finish())

    ran = await asyncio.gather(*(streams.write(stream_id, source) for _ in range(5)))

    assert sum(ran) == 1
    assert source.starts == 1


async def test_delete_ends_writer_and_followers(streams: Streams) -> None:
    stream_id, source = await streams.create(), HandFed()
    source.say("Gone ", "soon. ")
    writing = streams.write(stream_id, source)
    await until_stored(streams, stream_id, "Gone soon. ")
    following = asyncio.create_task(until_stored(streams, stream_id, "never"))

    await streams.delete(stream_id)
    await writing

    assert source.is_closed.is_set()
    with pytest.raises(UnknownStream):
        await streams.body(stream_id)
    with pytest.raises(UnknownStream):
        await following


async def test_another_process_follows_and_stops(streams: Streams, transactions: EngineTransactions) -> None:
    stream_id, source = await streams.create(), HandFed()
    source.say("Here. ")
    writing = streams.write(stream_id, source)

    async with Streams(transactions) as others:
        await until_stored(others, stream_id, "Here. ")
        await others.stop(stream_id)
        pieces = [piece async for piece in others.follow(stream_id, 6)]

    assert pieces == [End(StreamStatus.STOPPED, "Stopped.", 6)]
    assert await writing


async def test_on_the_way_out_what_is_left_is_stored(transactions: EngineTransactions) -> None:
    async with asyncio.timeout(WITHIN):
        source = HandFed()
        async with Streams(transactions) as streams:
            stream_id = await streams.create()
            streams.write(stream_id, source)
            source.say("Half a sen")
            await until_stored(streams, stream_id, "Half a sen")
            source.say("tence")
        stored = await Streams(transactions).body(stream_id)

    assert source.is_closed.is_set()
    assert stored.text.startswith("Half a sen")
    assert (stored.status, stored.reason) == (StreamStatus.ERROR, "The server restarted.")


async def test_what_a_dead_process_left_is_ended_at_once_where_no_other_can_be(
    streams: Streams, transactions: EngineTransactions
) -> None:
    stream_id, source = await streams.create(), HandFed()
    source.say("Left. ")
    writing = streams.write(stream_id, source)
    await until_stored(streams, stream_id, "Left. ")

    async with Streams(transactions, is_alone=lambda: True) as alone:
        pieces = [piece async for piece in alone.follow(stream_id)]

    assert pieces == [Piece(0, "Left. "), End(StreamStatus.ERROR, "The server restarted.", 6)]
    source.say("Too late. ")
    assert not await writing
    assert (await streams.body(stream_id)).text == "Left. "


async def test_tables_that_are_there_stay_as_they_are(streams: Streams, transactions: EngineTransactions) -> None:
    stream_id = await streams.create()
    await create_tables(transactions)
    assert (await streams.body(stream_id)).status is StreamStatus.PENDING
