"""A server that is killed at any moment: what was stored stays, what was under way is ended when it is back."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect
from sqlalchemy import select
from sqlalchemy.orm import aliased
from sqlmodel import col

from chat_app.data.db import Database
from chat_app.data.models import Attempt, Message
from tests.browser.conftest import CHROMIUM_FLAGS
from tests.support.chromium import find_chromium
from tests.support.scripted_model import Request, Say, ScriptedModelThread
from tests.support.server import Server, running_server
from tests.support.visitor import Tab, Visitor
from tributary_streams import Stream, StreamId, StreamStatus, store

pytestmark = [pytest.mark.server, pytest.mark.browser]

REPLIES = 10
FLUSH_AGE = 1.0
"""Seconds after which text is due to be stored, as the settings have it unless told otherwise."""
BUSY = 1.0
"""Seconds that a busy machine may take beyond that."""
RESTARTED = (StreamStatus.ERROR, "The server restarted.")
DONE = (StreamStatus.DONE, "")


class Spoken(list[str]):
    """Deltas that note how much of them had been sent, and when."""

    def __init__(self, deltas: list[str]) -> None:
        super().__init__(deltas)
        self.sent: list[tuple[float, int]] = []

    def __iter__(self) -> Iterator[str]:
        length = 0
        for delta in super().__iter__():
            yield delta
            length += len(delta)
            self.sent.append((time.monotonic(), length))

    @property
    def text(self) -> str:
        return "".join(super().__iter__())

    def age_of(self, offset: int, now: float) -> float:
        """For how many seconds the character at this offset had been said; 0 if it had not."""
        return max((now - at for at, length in self.sent if length > offset and at < now), default=0.0)


@dataclass
class Speaker:
    """What the model says to each message, made up from a seed; some replies have sentences, some never end one."""

    chance: random.Random
    spoken: dict[str, Spoken] = field(default_factory=dict[str, Spoken])

    def answer(self, request: Request) -> Say:
        prompt = request.last_text
        ends = self.chance.choice((". ", ". ", "。", ", ", " "))
        words = [f"{prompt.split()[-1]}w{number}" for number in range(self.chance.randrange(50, 500))]
        deltas = [word + (ends if self.chance.random() < 0.15 else " ") for word in words]
        self.spoken[prompt] = Spoken([*deltas[:-1], deltas[-1].strip()])
        return Say(self.spoken[prompt], pace=0.03)


@dataclass(frozen=True)
class Stored:
    """A reply as the database has it."""

    message: int
    ending: tuple[StreamStatus, str]
    chunks: str
    text: str


async def stored_replies(database: Database) -> dict[str, Stored]:
    """All replies, by what was asked."""
    prompt = aliased(Message)
    query = (
        select(prompt, Message, Stream)
        .join(Attempt, col(Attempt.message_id) == col(Message.id))
        .join(Stream, col(Stream.id) == col(Attempt.stream_id))
        .join(prompt, col(prompt.id) == col(Attempt.prompt_id))
    )
    replies: dict[str, Stored] = {}
    async with database.read() as session:
        for asked, message, stream in (await session.execute(query)).all():
            assert message.id is not None
            chunks = await store.read_text(session, StreamId(stream.id))
            replies[asked.text] = Stored(message.id, (stream.status, stream.reason), chunks, message.text)
            assert stream.length == len(chunks)
    return replies


async def shown(tab: Tab) -> dict[int, str]:
    """The texts in the page, by message."""
    rows = await tab.page.evaluate(
        """() => [...document.querySelectorAll("article[data-message]")].map(
            row => [Number(row.dataset.message), row.querySelector(".message-text")?.textContent ?? ""])"""
    )
    return {message: text.strip() for message, text in rows}


@dataclass(frozen=True)
class Loss:
    """What a kill has cost: the age of the oldest lost text in seconds, and the characters that the page had shown."""

    age: float
    characters: int


@dataclass(frozen=True)
class Killed:
    """What was so when a server was killed: the thread, the moment, and the texts that the tab showed which asked."""

    thread: str
    at: float
    texts: dict[int, str]


async def ask_and_kill(server: Server, model: ScriptedModelThread, visitor: Visitor, run: int, after: float) -> Killed:
    """Ask for ten replies in one tab, and kill the server so many seconds after the last of them has begun."""
    tab = await visitor.begin(server.url)
    before = len(model.requests)
    for number in range(REPLIES):
        await tab.send(f"@gpt r{run}n{number}")
        await expect(tab.messages()).to_have_count(2 * (number + 1))
    await asyncio.to_thread(model.received, before + REPLIES)
    await asyncio.sleep(after)  # the moment is what this test is about
    at = time.monotonic()
    server.kill()
    return Killed(tab.page.url, at, await shown(tab))


async def settled_page(visitor: Visitor, killed: Killed) -> tuple[dict[int, str], set[int]]:
    """What the page shows once the server is back and no reply of the killed one is under way: the texts of messages,
    and which of them it says were cut off."""
    tab = await visitor.open(killed.thread)
    await expect(tab.messages()).to_have_count(2 * REPLIES)
    # Long before a process that is not alone could take the killed one for dead.
    await expect(tab.page.locator('[data-status="pending"], [data-status="streaming"]')).to_have_count(
        0, timeout=20_000
    )
    cut_off = tab.page.locator('article[data-status="error"]', has_text=RESTARTED[1])
    return await shown(tab), {int(await row.get_attribute("data-message") or 0) for row in await cut_off.all()}


def check(reply: Stored, spoken: Spoken, now_shown: str, *, says_why: bool) -> None:
    """What holds of any reply after a kill."""
    assert reply.text == reply.chunks
    assert spoken.text.startswith(reply.text)
    assert reply.ending == RESTARTED or (reply.ending == DONE and reply.text == spoken.text)
    assert now_shown == reply.text.strip()
    assert says_why == (reply.ending == RESTARTED)


def worst(losses: list[Loss]) -> Loss:
    """The age of the oldest lost text, and the most characters that a page has lost."""
    return Loss(max(each.age for each in losses), max(each.characters for each in losses))


def said_by_servers(directory: Path) -> str:
    """The log of all runs."""
    return "".join(log.read_text() for log in directory.glob("*.log"))


def loss(reply: Stored, spoken: Spoken, killed: Killed) -> Loss:
    """What a kill has cost this reply."""
    on_page = killed.texts.get(reply.message, "")
    assert spoken.text.startswith(on_page)
    return Loss(spoken.age_of(len(reply.text), killed.at), max(0, len(on_page) - len(reply.text.strip())))


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(1, id="once"),
        pytest.param(3, id="thrice", marks=pytest.mark.thorough),
        pytest.param(20, id="often", marks=pytest.mark.chaos),
    ],
)
async def test_a_server_killed_in_mid_reply_loses_no_more_than_the_flush_age(tmp_path: Path, kills: int) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    chance, speaker = random.Random(seed), Speaker(random.Random(seed))
    database = Database(f"sqlite:///{tmp_path}/tributary.db")
    settled: dict[str, Stored] = {}
    losses: list[Loss] = []
    killed: Killed | None = None
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        playwright = await stack.enter_async_context(async_playwright())
        chromium = await playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        model = stack.enter_context(ScriptedModelThread(speaker.answer))
        for run in range(kills + 1):
            visitor = Visitor(chromium)
            with running_server(
                tmp_path, OPENAI_BASE_URL=model.base_url, CHAT_SEED="false", CHAT_REPLIES_PER_PERSON="20"
            ) as server:
                if killed is not None:
                    texts, cut_off = await settled_page(visitor, killed)
                    replies = await stored_replies(database)
                    for prompt in replies.keys() - settled.keys():
                        reply, spoken = replies[prompt], speaker.spoken[prompt]
                        check(reply, spoken, texts[reply.message], says_why=reply.message in cut_off)
                        losses.append(loss(reply, spoken, killed))
                    assert len(replies) == run * REPLIES
                    assert settled.items() <= replies.items()
                    settled = replies
                    ended = sum(reply.ending == RESTARTED for reply in settled.values())
                    print(f"{run} kills cut off {ended} of {len(settled)} replies; worst loss {worst(losses)}")
                if run < kills:
                    killed = await ask_and_kill(server, model, visitor, run, chance.uniform(0, 3))
            await visitor.leave()

    assert worst(losses).age <= FLUSH_AGE + BUSY
    assert "Traceback" not in said_by_servers(tmp_path)
