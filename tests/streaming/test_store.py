"""The store: claims, appends and endings, each atomic and each refused when it comes too late."""

import asyncio

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from chat_app.data.db import Database
from tributary_streams import Chunk, Ending, LeaseLost, StreamId, StreamStatus, UnknownStream, body, store
from tributary_streams.store import Lease

pytestmark = pytest.mark.on_both_databases

DONE = Ending(StreamStatus.DONE)


async def claimed(database: Database) -> Lease:
    async with database.write() as session:
        stream_id = store.create_stream(session)
    async with database.write() as session:
        lease = await store.claim(session, stream_id, "test")
    assert lease is not None
    return lease


async def append(database: Database, lease: Lease, offset: int, text: str) -> int:
    async with database.write() as session:
        return await store.append(session, lease, offset, text, first_delta=None)


async def chunks(database: Database, stream_id: StreamId) -> list[tuple[int, str]]:
    query = (
        select(col(Chunk.offset), col(Chunk.text)).where(col(Chunk.stream_id) == stream_id).order_by(col(Chunk.offset))
    )
    async with database.read() as session:
        return [(offset, text) for offset, text in (await session.execute(query)).all()]


async def test_of_twenty_simultaneous_claims_one_gets_the_lease(database: Database) -> None:
    async with database.write() as session:
        stream_id = store.create_stream(session)

    async def claim() -> Lease | None:
        async with database.write() as session:
            return await store.claim(session, stream_id, "test")

    leases = await asyncio.gather(*(claim() for _ in range(20)))

    assert [lease for lease in leases if lease is not None] == [Lease(stream_id, 1)]


async def test_a_second_writer_cannot_claim_a_live_stream(database: Database) -> None:
    lease = await claimed(database)
    async with database.write() as session:
        assert await store.claim(session, lease.stream_id, "another") is None


async def test_appending_the_same_again_changes_nothing(database: Database) -> None:
    lease = await claimed(database)
    assert await append(database, lease, 0, "Hello ") == 6
    assert await append(database, lease, 0, "Hello ") == 6
    assert await chunks(database, lease.stream_id) == [(0, "Hello ")]


async def test_after_a_commit_whose_answer_was_lost_only_the_rest_is_written(database: Database) -> None:
    lease = await claimed(database)
    await append(database, lease, 0, "Hello ")
    assert await append(database, lease, 0, "Hello world") == 11
    assert await chunks(database, lease.stream_id) == [(0, "Hello "), (6, "world")]


async def test_text_after_a_gap_is_refused(database: Database) -> None:
    lease = await claimed(database)
    with pytest.raises(LeaseLost):
        await append(database, lease, 3, "later")
    assert await chunks(database, lease.stream_id) == []


async def test_a_writer_whose_epoch_has_passed_writes_nothing(database: Database) -> None:
    lease = await claimed(database)
    passed = Lease(lease.stream_id, lease.epoch - 1)
    with pytest.raises(LeaseLost):
        await append(database, passed, 0, "late")
    async with database.write() as session:
        assert not await store.close(session, passed, DONE)
    assert (await body(database, lease.stream_id)).status is StreamStatus.STREAMING


@pytest.mark.parametrize("ending", [Ending(status) for status in StreamStatus if status.is_terminal])
async def test_a_terminal_status_is_sticky(database: Database, ending: Ending) -> None:
    lease = await claimed(database)
    await append(database, lease, 0, "All.")
    async with database.write() as session:
        assert await store.close(session, lease, ending)

    with pytest.raises(LeaseLost):
        await append(database, lease, 4, " More.")
    async with database.write() as session:
        assert not await store.close(session, lease, DONE)
        assert not await store.request_stop(session, lease.stream_id)
        assert not await store.close_pending(session, lease.stream_id, DONE)

    stored = await body(database, lease.stream_id)
    assert (stored.text, stored.status) == ("All.", ending.status)


def test_a_live_status_is_no_ending() -> None:
    with pytest.raises(ValueError, match="not an ending"):
        Ending(StreamStatus.STREAMING)


async def test_a_stream_that_nobody_claimed_can_be_ended(database: Database) -> None:
    async with database.write() as session:
        stream_id = store.create_stream(session)
    async with database.write() as session:
        assert await store.close_pending(session, stream_id, Ending(StreamStatus.STOPPED))
        assert await store.claim(session, stream_id, "late") is None


@pytest.mark.parametrize("offset", range(12))
async def test_text_is_read_from_any_offset_in_code_points(database: Database, offset: int) -> None:
    lease = await claimed(database)
    length = 0
    for piece in ("H", "é😀 ", "日本", "語。 b"):
        length = await append(database, lease, length, piece)
    async with database.read() as session:
        assert await store.read_text(session, lease.stream_id, offset) == "Hé😀 日本語。 b"[offset:]


async def test_an_unknown_stream_is_told_from_an_empty_one(database: Database) -> None:
    with pytest.raises(UnknownStream):
        await body(database, StreamId("nobody"))


async def test_chunks_are_deleted_in_batches_and_the_stream_with_the_last(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHUNKS_PER_DELETE", 4)
    lease = await claimed(database)
    for offset, letter in enumerate("abcdefghij"):
        await append(database, lease, offset, letter)
    left: list[str] = []
    is_gone = False
    while not is_gone:
        async with database.write() as session:
            is_gone = await store.delete_streams(session, [lease.stream_id])
        async with database.read() as session:
            left.append(await store.read_text(session, lease.stream_id))
    assert left == ["abcdef", "ab", ""]
    async with database.read() as session:
        assert (await session.execute(select(func.count()).select_from(Chunk))).scalar_one() == 0
    with pytest.raises(UnknownStream):
        await body(database, lease.stream_id)
