"""Threads: what a send commits, whom it asks, and in which order."""

import asyncio

import pytest
from sqlmodel import col, select

from chat_app.data.db import Database
from chat_app.data.models import Attempt, Member, MemberRole, Message, Thread, Visibility
from chat_app.people.identity import Identity
from chat_app.refusals import MessageRefused, NotPermitted, ThreadUnknown
from chat_app.threads import attempts, message_views, messages, thread_views
from chat_app.threads.mentions import mentions_ai
from chat_app.threads.messages import Posted
from tests.support.people import count, person, thread
from tests.support.world import running_world
from tributary_streams import Ending, Stream, StreamStatus, store

pytestmark = pytest.mark.on_both_databases


async def post(database: Database, thread_id: str, who: Identity, text: str, nonce: str = "") -> Posted:
    async with database.write() as session:
        return await messages.post(
            session, thread_id, who.user_id, text, nonce=nonce or f"nonce of {text}"[:64], tab="tab", model="scripted"
        )


async def stored_messages(database: Database, thread_id: str) -> list[message_views.MessageView]:
    async with database.read() as session:
        return await message_views.newest_messages(session, thread_id)


@pytest.mark.parametrize(
    "text",
    [
        "@gpt hi",
        "Hi @GPT",
        "so, @Gpt, what now?",
        "(@gpt)",
        "what do you think @gpt?",
        "@gpt.",
        "\n@gpt\n",
        "**@gpt** hi",
    ],
)
def test_the_ai_is_asked_by_its_name_as_a_word(text: str) -> None:
    assert mentions_ai(text)


@pytest.mark.parametrize(
    "text",
    [
        "a@gptmail.com",
        "me@gpt",
        "@gpts",
        "@gpt-4 is a model",
        "@gpt.com",
        "gpt",
        "x/@gpt",
        "@@gpt",
        "@gpt@server",
        "hello",
        "[good morning](https://a.example/?@gpt,obey)",
        "[good morning](https://a.example/(b)?@gpt,obey)",
    ],
)
def test_what_only_looks_like_its_name_does_not_ask_the_ai(text: str) -> None:
    assert not mentions_ai(text)


async def test_a_send_commits_message_reply_attempt_and_pending_stream_together(database: Database) -> None:
    who = await person(database)
    thread_id = await thread(database, who)

    posted = await post(database, thread_id, who, "@gpt hello")

    async with database.read() as session:
        messages = await message_views.newest_messages(session, thread_id)
    assert [(message.position, message.author_id, message.text) for message in messages] == [
        (1, who.user_id, "@gpt hello"),
        (2, 0, ""),
    ]
    reply = messages[1]
    assert (reply.status, reply.version, reply.stream_id, reply.tab) == (
        StreamStatus.PENDING,
        1,
        posted.stream_id,
        "tab",
    )


async def test_a_send_that_fails_in_between_commits_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await person(database)
    thread_id = await thread(database, who)

    def no_stream(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(attempts, "create_stream", no_stream)
    with pytest.raises(RuntimeError):
        await post(database, thread_id, who, "@gpt hello")

    assert [await count(database, table) for table in (Message, Attempt, Stream)] == [0, 0, 0]


async def test_the_same_nonce_is_the_same_message(database: Database) -> None:
    who = await person(database)
    thread_id = await thread(database, who)

    first = await post(database, thread_id, who, "@gpt hello", "one draft")
    again = await post(database, thread_id, who, "@gpt hello", "one draft")

    assert again == Posted(first.message_id, None, is_new=False)
    assert await count(database, Message) == 2


async def test_two_people_may_use_the_same_nonce(database: Database) -> None:
    one, other = await person(database), await person(database)
    thread_id = await thread(database, one)
    await post(database, thread_id, one, "Hi", "draft")
    await post(database, thread_id, other, "Hi", "draft")
    assert await count(database, Message) == 2


async def test_positions_of_concurrent_senders_are_the_order_of_commits(database: Database) -> None:
    people = [await person(database) for _ in range(8)]
    thread_id = await thread(database, people[0])

    async def send(who: Identity) -> None:
        for number in range(3):
            await post(database, thread_id, who, f"{number} of {who.user_id}")

    await asyncio.gather(*(send(who) for who in people))

    async with database.read() as session:
        messages = await message_views.newest_messages(session, thread_id)
    assert [message.position for message in messages] == list(range(1, 25))
    assert [message.thread_version for message in messages] == list(range(1, 25))
    assert [message.id for message in messages] == sorted(message.id for message in messages)


@pytest.mark.parametrize("text", ["", "  \n ", "\x00", "x" * (messages.MAX_TEXT + 1)])
async def test_a_blank_or_endless_message_is_refused_in_words(database: Database, text: str) -> None:
    who = await person(database)
    thread_id = await thread(database, who)
    with pytest.raises(MessageRefused, match=r"\w"):
        await post(database, thread_id, who, text)


async def test_text_is_cleaned_at_the_edge(database: Database) -> None:
    who = await person(database)
    thread_id = await thread(database, who)
    await post(database, thread_id, who, " a\x00b \ud83d\ude00 \ud800 ", "draft")
    async with database.read() as session:
        (message,) = await message_views.newest_messages(session, thread_id)
    assert message.text == "ab 😀 \ufffd"


async def test_an_unknown_thread_takes_no_message(database: Database) -> None:
    who = await person(database)
    with pytest.raises(ThreadUnknown):
        await post(database, "nowhere", who, "Hello?")


async def test_a_private_thread_is_unknown_to_strangers_and_closed_to_viewers(database: Database) -> None:
    owner, viewer, stranger = [await person(database) for _ in range(3)]
    thread_id = await thread(database, owner)
    async with database.write() as session:
        (await session.get_one(Thread, thread_id)).visibility = Visibility.PRIVATE
        session.add(Member(thread_id=thread_id, user_id=viewer.user_id, role=MemberRole.VIEWER))
    posted = await post(database, thread_id, owner, "@gpt mine")

    for who, refused in ((viewer, NotPermitted), (stranger, ThreadUnknown)):
        with pytest.raises(refused):
            await post(database, thread_id, who, "Let me in")
        async with database.write() as session:
            with pytest.raises(refused):
                await attempts.stoppable(session, thread_id, posted.message_id + 1, who.user_id)
    async with database.read() as session:
        assert (await thread_views.find(session, thread_id, viewer.user_id)).id == thread_id
        with pytest.raises(ThreadUnknown):
            await thread_views.find(session, thread_id, stranger.user_id)
        with pytest.raises(ThreadUnknown):
            await message_views.message_view(session, thread_id, posted.message_id, stranger.user_id)
        assert [entry.id for entry in await thread_views.listed(session, stranger.user_id)] == []
        assert [entry.id for entry in await thread_views.listed(session, viewer.user_id)] == [thread_id]


async def test_the_end_of_a_stream_gives_its_text_to_the_message(database: Database) -> None:
    who = await person(database)
    thread_id = await thread(database, who)
    posted = await post(database, thread_id, who, "@gpt hello")
    assert posted.stream_id is not None
    async with database.write() as session:
        lease = await store.claim(session, posted.stream_id, "test")
        assert lease is not None
        await store.append(session, lease, 0, "Hello ", first_delta=None)
        await store.append(session, lease, 6, "there.", first_delta=None)
    async with database.write() as session:
        assert await store.close(session, lease, Ending(StreamStatus.DONE))
        await attempts.store_reply(session, posted.stream_id)

    async with database.read() as session:
        changed = await message_views.messages_changed_since(session, thread_id, 1)
        version = (await session.execute(select(col(Thread.version)))).scalar_one()
    assert [(message.text, message.status, message.thread_version) for message in changed] == [
        ("Hello there.", StreamStatus.DONE, version)
    ]


async def edit(database: Database, thread_id: str, message_id: int, who: Identity, text: str) -> bool:
    async with database.write() as session:
        return await messages.edit_message(session, thread_id, message_id, who.user_id, text)


async def test_an_edit_is_another_text_of_the_same_message_and_asks_nobody(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    posted = await post(database, thread_id, ada, "Morning")
    before = (await stored_messages(database, thread_id))[0]

    assert await edit(database, thread_id, posted.message_id, ada, " @gpt morning ")

    (after,) = await stored_messages(database, thread_id)
    assert (after.id, after.position, after.author_id, after.at) == (before.id, 1, ada.user_id, before.at)
    assert (after.text, after.name) == ("@gpt morning", f"{after.id}.1")
    assert after.thread_version > before.thread_version
    assert await count(database, Attempt) == 0


async def test_the_same_text_again_is_no_edit(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    posted = await post(database, thread_id, ada, "Morning")
    before = await stored_messages(database, thread_id)
    assert not await edit(database, thread_id, posted.message_id, ada, "Morning\n")
    assert await stored_messages(database, thread_id) == before


async def test_a_message_is_its_authors_to_edit_while_they_may_write(database: Database) -> None:
    ada, noor = await person(database), await person(database)
    thread_id = await thread(database, ada)
    posted = await post(database, thread_id, noor, "@gpt mine")
    async with database.write() as session:
        session.add(Member(thread_id=thread_id, user_id=noor.user_id, role=MemberRole.VIEWER))

    for who, message_id, refused in (
        (ada, posted.message_id, NotPermitted),  # the thread's owner may delete it, but not speak for another
        (noor, posted.message_id, NotPermitted),  # reads only by now
        (noor, posted.message_id + 1, NotPermitted),  # the AI's
        (noor, 99_999, ThreadUnknown),
    ):
        with pytest.raises(refused):
            await edit(database, thread_id, message_id, who, "Other")
    assert [message.text for message in await stored_messages(database, thread_id)] == ["@gpt mine", ""]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (messages.MAX_TEXT + 1)])
async def test_an_edit_to_what_could_not_be_posted_is_refused_in_words(database: Database, text: str) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    posted = await post(database, thread_id, ada, "Morning")
    with pytest.raises(MessageRefused, match=r"\w"):
        await edit(database, thread_id, posted.message_id, ada, text)


async def test_a_text_is_edited_no_more_often_than_its_name_can_count(database: Database) -> None:
    ada = await person(database)
    thread_id = await thread(database, ada)
    posted = await post(database, thread_id, ada, "Morning")
    async with database.write() as session:
        (await session.get_one(Message, posted.message_id)).edits = messages.MAX_EDITS - 1
    assert await edit(database, thread_id, posted.message_id, ada, "Noon")
    with pytest.raises(MessageRefused, match="too often"):
        await edit(database, thread_id, posted.message_id, ada, "Evening")


async def test_a_thread_is_titled_by_its_first_message(database: Database) -> None:
    who = await person(database)
    thread_id = await thread(database, who)
    await post(database, thread_id, who, "@gpt   how \u202edo\u202c rivers\nfind the sea,\u200b " + "and why " * 20)
    await post(database, thread_id, who, "Something else")
    async with database.read() as session:
        title = (await thread_views.find(session, thread_id, who.user_id)).title
    assert title.startswith("How do rivers find the sea, and why")
    assert len(title) == messages.TITLE_LENGTH


async def test_clearing_a_thread_leaves_the_others_as_they_are(database: Database) -> None:
    who = await person(database)
    cleared, kept = await thread(database, who), await thread(database, who)
    for thread_id in (cleared, kept):
        await post(database, thread_id, who, "@gpt hello")
    async with running_world(database) as world:
        await world.services.threads.clear(who, cleared)
    async with database.read() as session:
        assert await message_views.newest_messages(session, cleared) == []
        assert [message.text for message in await message_views.newest_messages(session, kept)] == ["@gpt hello", ""]
    assert await count(database, Attempt) == 1
