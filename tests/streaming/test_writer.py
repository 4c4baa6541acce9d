"""The writer: however a source ends, the text so far is stored with a status that says so."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from tests.support.core import Core, HandFed, cancelled
from tributary_streams import (
    ChunkRule,
    End,
    Ending,
    Finish,
    Patience,
    Piece,
    SourceError,
    StreamStatus,
    Usage,
    follow,
    store,
)

pytestmark = pytest.mark.on_both_databases


async def test_at_done_the_chunks_are_the_models_text(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say("Hello ", "world. ", "Bye.", Finish(usage=Usage(3, 7)))

    assert await core.writer(stream_id, source).run()

    stored = await core.body(stream_id)
    assert (stored.text, stored.status, stored.reason) == ("Hello world. Bye.", StreamStatus.DONE, "")


async def test_an_empty_reply_is_done_with_no_chunk(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say(Finish())

    await core.writer(stream_id, source).run()

    stored = await core.body(stream_id)
    assert (stored.text, stored.status, stored.length) == ("", StreamStatus.DONE, 0)


async def test_an_end_without_a_finish_is_an_error_and_keeps_the_tail(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say("Half a sen", None)

    await core.writer(stream_id, source).run()

    stored = await core.body(stream_id)
    assert (stored.text, stored.status) == ("Half a sen", StreamStatus.ERROR)
    assert stored.reason == "The model broke off without finishing."


async def test_a_failing_model_leaves_its_text_and_a_reason_of_ours(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say("So far", SourceError("The model has too much to do."))

    await core.writer(stream_id, source).run()

    stored = await core.body(stream_id)
    assert (stored.text, stored.status, stored.reason) == (
        "So far",
        StreamStatus.ERROR,
        "The model has too much to do.",
    )


async def test_an_unforeseen_error_is_not_quoted(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say(RuntimeError("key sk-CANARY at https://provider"))

    await core.writer(stream_id, source).run()

    assert "CANARY" not in (await core.body(stream_id)).reason


async def test_stop_before_the_first_delta_and_twice(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    writer = core.writer(stream_id, source)
    running = asyncio.create_task(writer.run())
    await core.until_published(stream_id, 0)

    writer.stop()
    writer.stop()
    await running

    stored = await core.body(stream_id)
    assert (stored.text, stored.status) == ("", StreamStatus.STOPPED)


async def test_stop_in_mid_stream_keeps_the_text_and_lets_go_of_the_model(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    writer = core.writer(stream_id, source)
    running = asyncio.create_task(writer.run())
    source.say("Once upon", " a time")
    await core.until_published(stream_id, 16)

    writer.stop()
    await running

    assert source.is_closed.is_set()
    stored = await core.body(stream_id)
    assert (stored.text, stored.status) == ("Once upon a time", StreamStatus.STOPPED)


async def test_a_cancelled_writer_stores_its_tail_first(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    running = asyncio.create_task(core.writer(stream_id, source).run())
    source.say("Not a sentence yet")
    await core.until_published(stream_id, 18)

    await cancelled(running)

    stored = await core.body(stream_id)
    assert (stored.text, stored.status) == ("Not a sentence yet", StreamStatus.ERROR)
    assert stored.reason == "The server restarted."


async def test_of_twenty_simultaneous_starts_one_calls_the_model(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say("Once.", Finish())

    ran = await asyncio.gather(*(core.writer(stream_id, source).run() for _ in range(20)))

    assert sum(ran) == 1
    assert source.starts == 1


@pytest.mark.parametrize(
    ("said", "reason"), [((), "The model did not answer in time."), (("Word",), "The model fell silent.")]
)
async def test_a_silent_model_is_timed_out_and_let_go(core: Core, said: tuple[str, ...], reason: str) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say(*said)

    await core.writer(stream_id, source, patience=Patience(first_delta=0.05, gap=0.05)).run()

    assert source.is_closed.is_set()
    stored = await core.body(stream_id)
    assert (stored.text, stored.status, stored.reason) == ("".join(said), StreamStatus.TIMEOUT, reason)


async def test_reasoning_counts_as_activity(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say("", "", "Answer.", Finish())

    await core.writer(stream_id, source, patience=Patience(first_delta=5, gap=5)).run()

    assert (await core.body(stream_id)).text == "Answer."


async def test_halves_of_a_character_in_two_deltas_are_joined(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    source.say("A \ud83d", "\ude00 face\x00.", Finish())

    await core.writer(stream_id, source).run()

    assert (await core.body(stream_id)).text == "A 😀 face."


async def test_a_follower_from_any_offset_gets_exactly_the_rest_and_the_end(core: Core) -> None:
    text = "One. Two é😀. Three, and no end to it"
    for offset in (0, 1, 7, 9, 10, len(text)):
        stream_id, source = await core.create(), HandFed()
        running = asyncio.create_task(core.writer(stream_id, source).run())
        source.say(*text, Finish())

        pieces = [piece async for piece in follow(core.tailer, stream_id, offset)]

        await running
        assert pieces[-1] == End(StreamStatus.DONE, "", len(text))
        texts = [piece for piece in pieces if isinstance(piece, Piece)]
        assert "".join(piece.text for piece in texts) == text[offset:]


async def test_what_waits_half_a_sentence_reaches_followers_while_the_model_pauses(core: Core) -> None:
    stream_id, source = await core.create(), HandFed()
    running = asyncio.create_task(core.writer(stream_id, source).run())
    source.say("Half a sentence and then")

    async for piece in follow(core.tailer, stream_id):
        assert piece == Piece(0, "Half a sentence and then")
        break

    await cancelled(running)


async def test_an_ending_given_while_its_write_begins_is_known_to_be_stored(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_id = await core.create()
    async with core.transactions.write() as session:
        lease = await store.claim(session, stream_id, "test")
    assert lease is not None
    with core.flusher.lane(lease, ChunkRule(), on_lost=lambda: None, on_away=lambda: None) as lane:
        begin = AsyncSession.begin_nested

        def end_first(session: AsyncSession) -> AsyncSessionTransaction:
            lane.end(Ending(StreamStatus.DONE))
            return begin(session)

        monkeypatch.setattr(AsyncSession, "begin_nested", end_first)
        lane.add("One. ")
        assert await lane.is_stored
    assert (await core.body(stream_id)).status is StreamStatus.DONE
