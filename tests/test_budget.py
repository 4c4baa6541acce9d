"""Tokens a day: never more than one call beyond the limit, whoever asks at once, and nothing stays reserved."""

import math
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import col, select

from chat_app.data.db import Database
from chat_app.data.models import DailyUsage, Reservation
from chat_app.people.identity import Identity
from chat_app.replies import budget
from chat_app.replies.budget import EVERYBODY, Budget
from chat_app.threads import messages
from tests.support.meter import metered
from tests.support.people import count, person, thread
from tests.support.world import OpenTab, World, running_world, settings
from tributary_streams import Finish, SourceError, Usage, store

pytestmark = pytest.mark.on_both_databases

by_security = pytest.mark.on_both_databases(by="security")
"""On PostgreSQL what two processes share is asked in the ordinary run."""
ASKS = 50
PROMPT, REPLY = 17, 100
"""Estimated tokens of each prompt here, and those that a reply may have."""
COST = PROMPT + REPLY
LIMITS: dict[str, Any] = {
    "chat_context_messages": 1,
    "chat_system_prompt": ".",
    "chat_max_reply_tokens": REPLY,
    "chat_replies_per_person": ASKS,
    "chat_messages_per_minute": 0,
}


def question(number: int) -> str:
    return f"@gpt {number:02}"


async def spent(database: Database) -> dict[int, int]:
    """Tokens by spender."""
    async with database.read() as session:
        rows = await session.execute(select(col(DailyUsage.spender), col(DailyUsage.tokens)))
        return {spender: tokens for spender, tokens in rows.all() if tokens}


async def ask_all_at_once(worlds: Sequence[World], people: Sequence[Identity], *, calls: int) -> None:
    """Let these people ask, in these processes, and every call cost all that it may; so many calls are expected."""
    thread_id = await thread(worlds[0].database, people[0])
    async with worlds[0].tab("tab", people[0], thread_id) as tab:
        async with worlds[0].database.write() as session:  # posted one by one, they would hardly meet
            asked = [
                await messages.post(
                    session,
                    thread_id,
                    people[number % len(people)].user_id,
                    question(number),
                    nonce=f"nonce {number}",
                    tab="tab",
                    model="",
                )
                for number in range(ASKS)
            ]
        for number, posted in enumerate(asked):
            assert posted.stream_id is not None
            worlds[number % len(worlds)].services._writers.begin(posted.stream_id)
        worlds[0].services._committed()
        await tab.until_screen(lambda screen: list(screen.statuses.values()).count("error") == ASKS - calls)
        for world in worlds:
            for number in range(calls):
                world.model.source(number).say("Yes.", Finish("", Usage(PROMPT, REPLY)))
        await tab.until_screen(lambda screen: list(screen.statuses.values()).count("done") == calls)
    assert sum(len(world.model.asked) for world in worlds) == calls


@by_security
async def test_fifty_questions_of_one_person_at_once_pass_the_limit_by_less_than_one_call(database: Database) -> None:
    limit = 1000
    async with running_world(database, **LIMITS, chat_tokens_per_day=limit) as world:
        ada = await person(database)
        await ask_all_at_once([world], [ada], calls=math.ceil(limit / COST))
        tokens = await spent(database)
        assert tokens == {EVERYBODY: tokens[ada.user_id], ada.user_id: tokens[ada.user_id]}
        assert limit <= tokens[ada.user_id] < limit + COST
        assert await count(database, Reservation) == 0


@by_security
async def test_fifty_questions_of_ten_people_at_once_pass_neither_their_limits_nor_the_servers(
    database: Database,
) -> None:
    limit, in_all = 300, 2000
    limits = {"chat_tokens_per_day": limit, "chat_tokens_per_day_total": in_all}
    async with running_world(database, **LIMITS, **limits) as world:
        people = [await person(database) for _ in range(10)]
        await ask_all_at_once([world], people, calls=math.ceil(in_all / COST))
        tokens = await spent(database)
        assert in_all <= tokens.pop(EVERYBODY) < in_all + COST
        assert all(each < limit + COST for each in tokens.values())


async def test_two_processes_share_one_budget(database: Database) -> None:
    limit = 1000
    other = Database(database.url.render_as_string(hide_password=False))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(other.close)
        worlds = [
            await stack.enter_async_context(running_world(each, **LIMITS, chat_tokens_per_day_total=limit))
            for each in (database, other)
        ]
        await ask_all_at_once(worlds, [await person(database) for _ in range(10)], calls=math.ceil(limit / COST))
        assert limit <= (await spent(database))[EVERYBODY] < limit + COST


async def answered(world: World, tab: OpenTab, who: Identity, thread_id: str, number: int, *items: Any) -> str:
    """Ask and let the model say this; the status that it ends with."""
    name = await world.ask(who, thread_id, tab.tab.token, question(number))
    world.model.source(len(world.model.sources)).say(*items)
    await tab.until_screen(lambda screen: screen.statuses.get(name) in ("done", "error"))
    return tab.screen.statuses[name]


async def test_a_reply_costs_what_the_model_counts_or_else_what_is_estimated(database: Database) -> None:
    async with running_world(database, **LIMITS, chat_tokens_per_day=10_000) as world:
        ada = await person(database)
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as tab:
            costs: list[int] = []
            for number, items in enumerate(
                (
                    ("Yes.", Finish("", Usage(30, 5))),
                    ("Sixteen letters.", Finish()),
                    ("Sixteen letters.", Finish("", Usage(0, 0))),
                    ("Sixteen letters.", SourceError("It broke.")),
                )
            ):
                before = (await spent(database)).get(ada.user_id, 0)
                await answered(world, tab, ada, thread_id, number, *items)
                costs.append((await spent(database))[ada.user_id] - before)
            assert costs == [35, PROMPT + 4, PROMPT + 4, PROMPT + 4]

            before = (await spent(database))[ada.user_id]
            name = await world.ask(ada, thread_id, "ada", question(5))
            world.model.source(4).say("Sixteen letters.")
            await tab.until(name, "Sixteen letters.")
            assert (await spent(database))[ada.user_id] == before + COST
            await world.services.replies.stop(ada, thread_id, int(name.partition(".")[0]))
            await tab.until(name, "Sixteen letters.", "stopped")
            assert (await spent(database))[ada.user_id] == before + PROMPT + 4


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("chat_tokens_per_day", "Whoever asked has used up their tokens for today"),
        ("chat_tokens_per_day_total", "The AI's tokens for today are used up"),
    ],
)
async def test_with_nothing_left_the_reason_says_when_and_retry_works_then(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    monkeypatch.setattr(budget, "utc_now", lambda: datetime(2026, 3, 31, 18, 50, tzinfo=UTC))
    async with running_world(database, **LIMITS, **{limit: 10}) as world:
        ada = await person(database)
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as tab:
            assert await answered(world, tab, ada, thread_id, 1, "Yes.", Finish()) == "done"
            name = await world.ask(ada, thread_id, "ada", question(2))
            await tab.until(name, status="error")
            assert tab.screen.reasons[name] == f"{words}; they are back at midnight UTC, in 5 h 10 min."
            assert len(world.model.asked) == 1

            monkeypatch.setattr(budget, "utc_now", lambda: datetime(2026, 4, 1, tzinfo=UTC))
            message_id = int(name.partition(".")[0])
            await world.services.replies.retry(ada, thread_id, message_id, tab="ada")
            world.model.source(1).say("Yes again.", Finish())
            await tab.until(f"{message_id}.2", "Yes again.", "done")


@pytest.mark.parametrize("is_thread", [False, True])
async def test_what_is_deleted_in_mid_stream_is_settled(database: Database, is_thread: bool) -> None:  # a parameter
    async with running_world(database, **LIMITS, chat_tokens_per_day=10_000) as world:
        ada = await person(database)
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as tab:
            name = await world.ask(ada, thread_id, "ada", question(1))
            world.model.source(0).say("Sixteen letters. ")
            await tab.until(name, "Sixteen letters. ")
            if is_thread:
                await world.services.threads.delete(ada, thread_id)
            else:
                await world.services.messages.delete(ada, thread_id, int(name.partition(".")[0]))
            await world.written()
            await world.cleared()
        assert await count(database, Reservation) == 0
        # Of a text that was not stored yet nothing is left to count.
        assert PROMPT <= (await spent(database))[ada.user_id] <= PROMPT + 4


async def test_what_a_dead_server_had_reserved_is_settled_when_its_reply_is_ended(database: Database) -> None:
    limits = {**LIMITS, "chat_tokens_per_day": 10_000}
    ada = await person(database)
    thread_id = await thread(database, ada)
    async with database.write() as session:
        posted = await messages.post(session, thread_id, ada.user_id, question(1), nonce="nonce", tab="", model="")
        assert posted.stream_id is not None
        lease = await store.claim(session, posted.stream_id, "a dead server")
        assert lease is not None
        await Budget(settings(**limits)).reserve(session, posted.stream_id, ada.user_id, PROMPT)
        await store.append(session, lease, 0, "Sixteen letters.", first_delta=None)
    assert await spent(database) == {EVERYBODY: COST, ada.user_id: COST}

    impatient = {"chat_lease_renew": 0.1, "chat_lease_expiry": 0.3, "chat_sweep_every": 0.1}
    async with running_world(database, **limits, **impatient) as world, world.tab("ada", ada, thread_id) as tab:
        await tab.until(f"{posted.message_id + 1}.1", "Sixteen letters.", "error")
    assert await spent(database) == {EVERYBODY: PROMPT + 4, ada.user_id: PROMPT + 4}
    assert await count(database, Reservation) == 0


async def test_with_no_limit_nothing_is_asked_or_kept(database: Database) -> None:
    async with running_world(database) as world:
        ada = await person(database)
        thread_id = await thread(database, ada)
        async with world.tab("ada", ada, thread_id) as tab:
            with metered(database) as meter:
                assert await answered(world, tab, ada, thread_id, 1, "Yes.", Finish("", Usage(30, 5))) == "done"
        assert meter.statements
        assert not [each for each in meter.statements if "usage" in each or "reservation" in each]
    assert await spent(database) == {}
