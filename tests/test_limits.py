"""Fair use: who sends too much is told how long to wait, and nobody else pays for it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import reflex as rx
from reflex.istate.data import RouterData

from chat_app import refusals
from chat_app import services as services_module
from chat_app.data.db import Database
from chat_app.data.models import Message, Thread
from chat_app.pages.thread import Composer
from chat_app.people import identity, secrets
from chat_app.people.limits import Rates
from chat_app.people.network import network_of
from chat_app.refusals import TooMuch
from chat_app.state import Viewer
from tests.support.people import count, person, thread
from tests.support.world import World, running_world, settings
from tributary_streams import Finish, SourceError

HERE, THERE = "192.0.2.1", "192.0.2.2"


class WallClock:
    """What `time.time` says: a moment that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    clock = WallClock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """A server where a person may send two messages a minute and begin two threads a day."""
    async with running_world(database, chat_messages_per_minute=2, chat_threads_per_day=2) as world:
        yield world


async def allowed(rates: Rates, person: int, address: str = "", *, times: int) -> int:
    """How many of so many messages at once are allowed."""
    results = await asyncio.gather(*(rates.message(person, address) for _ in range(times)), return_exceptions=True)
    assert all(result is None or isinstance(result, TooMuch) for result in results)
    return results.count(None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (0.2, "1 second"),
        (11.5, "12 seconds"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (3600, "60 minutes"),
        (7200, "2 h"),
        (12_000, "3 h 20 min"),
        (86_399, "24 h"),
    ],
)
def test_a_wait_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert refusals.in_words(seconds) == words


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown", ""),
    ],
)
def test_addresses_that_one_guest_can_choose_among_are_one(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_a_minute_is_a_moving_window_and_the_wait_is_until_one_is_free(clock: WallClock) -> None:
    rates = Rates(settings(chat_messages_per_minute=3))
    for _ in range(3):
        await rates.message(1, HERE)
        clock.now += 10

    with pytest.raises(TooMuch, match=r"^You are sending a lot: wait 30 seconds\.$") as caught:
        await rates.message(1, HERE)
    assert caught.value.wait == 30

    clock.now += 30.5
    await rates.message(1, HERE)
    with pytest.raises(TooMuch, match="wait 10 seconds"):
        await rates.message(1, HERE)


@pytest.mark.parametrize(
    ("limit", "people", "addresses", "words"),
    [
        ("chat_messages_per_minute", 1, 50, "You are sending a lot"),
        ("chat_messages_per_minute_per_address", 50, 1, "Your network is sending a lot"),
        ("chat_messages_per_minute_total", 50, 50, "The server has a lot to do"),
    ],
)
async def test_of_fifty_messages_at_once_as_many_are_allowed_as_may_be(
    limit: str, people: int, addresses: int, words: str
) -> None:
    rates = Rates(settings(**{limit: 7}))

    results = await asyncio.gather(
        *(rates.message(number % people, f"192.0.2.{number % addresses}") for number in range(50)),
        return_exceptions=True,
    )

    assert results.count(None) == 7
    assert all(words in str(result) for result in results if result is not None)


async def test_what_is_refused_counts_nowhere(clock: WallClock) -> None:
    rates = Rates(settings(chat_messages_per_minute=2, chat_messages_per_minute_per_address=5))

    assert await allowed(rates, 1, HERE, times=50) == 2
    assert await allowed(rates, 2, HERE, times=50) == 2
    assert await allowed(rates, 3, HERE, times=50) == 1
    assert await allowed(rates, 3, THERE, times=50) == 1


async def test_the_longest_wait_is_the_one_that_is_told(clock: WallClock) -> None:
    rates = Rates(settings(chat_messages_per_minute=1, chat_messages_per_minute_per_address=2))
    await rates.message(1, HERE)
    clock.now += 20
    await rates.message(2, HERE)

    with pytest.raises(TooMuch, match="You are sending a lot: wait 60 seconds"):
        await rates.message(2, HERE)


async def test_threads_count_by_the_day(clock: WallClock) -> None:
    rates = Rates(settings(chat_threads_per_day=2, chat_threads_per_day_per_address=3))
    for person_id in (1, 1, 2):
        await rates.thread(person_id, HERE)

    with pytest.raises(TooMuch, match=r"^You have begun many threads today: the next one in 24 h\.$"):
        await rates.thread(1, THERE)
    with pytest.raises(TooMuch, match=r"^Your network has begun many threads today: the next one in 24 h\.$"):
        await rates.thread(2, HERE)
    clock.now += 20 * 3600 + 2400
    with pytest.raises(TooMuch, match=r"the next one in 3 h 20 min\.$"):
        await rates.thread(2, HERE)
    clock.now += 4 * 3600
    await rates.thread(1, HERE)


async def test_a_limit_of_0_is_none() -> None:
    names = ("chat_messages_per_minute", "chat_messages_per_minute_per_address", "chat_messages_per_minute_total")
    rates = Rates(settings(**dict.fromkeys(names, 0)))

    assert await allowed(rates, 1, HERE, times=5_000) == 5_000


async def test_the_same_message_again_is_neither_counted_nor_refused(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)

    def post(text: str, nonce: str) -> asyncio.Task[object]:
        return asyncio.create_task(
            world.services.messages.post(ada, thread_id, text, nonce=nonce, tab="ada", address=HERE)
        )

    await asyncio.gather(*(post("Once.", "first nonce") for _ in range(5)))
    await post("Twice.", "second nonce")
    await post("Once.", "first nonce")
    with pytest.raises(TooMuch):
        await post("Thrice.", "third nonce")
    assert await count(world.database, Message) == 2


async def test_a_message_that_has_to_wait_is_not_stored_and_the_model_not_asked(world: World) -> None:
    ada, noor = await person(world.database), await person(world.database)
    thread_id = await thread(world.database, ada)
    for text in ("1", "2"):
        await world.ask(ada, thread_id, "ada", text)

    with pytest.raises(TooMuch):
        await world.ask(ada, thread_id, "ada", "@gpt 3")
    await world.ask(noor, thread_id, "noor", "@gpt 4")
    await world.model.was_asked(1)
    assert [turn.text for turn in world.model.asked[0][1:]] == ["1", "2", "@gpt 4"]
    assert await count(world.database, Message) == 4


async def test_a_retry_counts_as_a_message_and_one_that_has_to_wait_changes_nothing(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    async with world.tab("ada", ada, thread_id) as tab:
        name = await world.ask(ada, thread_id, "ada")
        world.model.source(0).say("First try. ", SourceError("It broke."))
        await tab.until(name, "First try. ", "error")
        message_id = int(name.partition(".")[0])
        await world.services.replies.retry(ada, thread_id, message_id, tab="ada")
        world.model.source(1).say("Second try. ", Finish("Cut off at the length limit."))
        await tab.until(f"{message_id}.2", "Second try. ", "done")

        for again in (world.services.replies.retry, world.services.replies.continue_reply):
            with pytest.raises(TooMuch):
                await again(ada, thread_id, message_id, tab="ada")
    message, text = await world.services.messages.text_of(ada, thread_id, message_id, 0)
    assert (message.version, text) == (2, "Second try. ")
    assert len(world.model.asked) == 2


async def test_a_thread_that_has_to_wait_is_not_begun(world: World) -> None:
    ada = await person(world.database)
    await world.services.threads.create(ada)
    await world.services.threads.create(ada)

    with pytest.raises(TooMuch, match="You have begun many threads today"):
        await world.services.threads.create(ada)
    assert await count(world.database, Thread) == 2


async def test_an_edit_counts_as_a_message_unless_it_changes_nothing(world: World) -> None:
    ada = await person(world.database)
    thread_id = await thread(world.database, ada)
    posted = await world.services.messages.post(ada, thread_id, "One", nonce="draft", tab="tab", address=HERE)
    for _ in range(3):
        await world.services.messages.edit(ada, thread_id, posted.message_id, "One", address=HERE)
    await world.services.messages.edit(ada, thread_id, posted.message_id, "Two", address=HERE)
    with pytest.raises(TooMuch):
        await world.services.messages.edit(ada, thread_id, posted.message_id, "Three", address=HERE)
    messages, _ = await world.services.messages.newest(ada, thread_id)
    assert [message.text for message in messages] == ["Two"]


async def test_the_page_is_told_the_wait_and_which_text_to_give_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services_module, "_current", [world.services])
    secret = secrets.new_secret()
    ada = await world.services.people.recognise(f"{identity.COOKIE}={secret}")
    thread_id = await thread(world.database, ada)
    root = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]  # Reflex's own argument
    root.router = RouterData.from_router_data(
        {"headers": {"cookie": f"{identity.COOKIE}={secret}"}, "token": "tab", "ip": HERE}
    )
    composer = await root.get_state(Composer)
    monkeypatch.setattr("chat_app.pages.thread.thread_in_address", lambda state: thread_id)

    async def send(text: str) -> str:
        await Composer.send.fn(composer, text, f"nonce-of-{text}")  # pyright: ignore[reportFunctionMemberAccess]
        return (await root.get_state(Viewer)).notice

    assert await send("1") == ""
    assert await send("2") == ""
    assert await send("3") == "You are sending a lot: wait 60 seconds."
    assert composer.stored == ["nonce-of-1", "nonce-of-2"]
    assert composer.refused == ["nonce-of-3"]
