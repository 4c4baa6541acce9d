"""A server that is told to end in mid-reply: the tails are stored, the reason is told, nothing hangs."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_app.data.db import Database
from chat_app.threads import messages
from tests.support.people import person, thread
from tests.support.scripted_model import Hold, Say, ScriptedModelThread
from tests.support.server import STOP_WITHIN, Mode, running_server
from tributary_streams import Body, StreamId, StreamStatus, body, store

pytestmark = pytest.mark.server

REPLIES = 5
DELTAS = ("A whole sentence. ", "And the beginning of ano")
TEXT = "".join(DELTAS)
NOISE = re.compile(r"Traceback|was never|Task was destroyed|exception")
"""What a clean end does not say. The development server kills a worker that a busy machine keeps for 2 s; not meant."""
ONLY_AT_THE_END = "60"
"""Seconds after which the half sentence is stored: at shutdown, or never."""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """The server's."""
    return f"sqlite:///{tmp_path}/tributary.db"


@pytest.fixture
def model() -> Iterator[ScriptedModelThread]:
    with ScriptedModelThread(lambda _: Say([*DELTAS, Hold()])) as model:
        yield model


async def ask(database: Database) -> list[StreamId]:
    """Questions of several people, as another process would store them; the server's next sweep begins the replies."""
    thread_id = await thread(database, await person(database))
    asked: list[StreamId] = []
    for number in range(REPLIES):
        somebody = await person(database)
        async with database.write() as session:
            posted = await messages.post(
                session, thread_id, somebody.user_id, "@gpt hi", nonce=str(number), tab="", model="scripted"
            )
        assert posted.stream_id is not None
        asked.append(posted.stream_id)
    return asked


with_page = pytest.mark.thorough


@pytest.mark.parametrize(
    ("mode", "sign", "to_all", "has_page"),
    [
        pytest.param("prod", signal.SIGTERM, False, False, id="production-terminated"),
        pytest.param("dev", signal.SIGINT, True, False, id="development-ctrl-c"),
        pytest.param("prod", signal.SIGTERM, False, True, id="page-production-terminated", marks=with_page),
        pytest.param("prod", signal.SIGTERM, True, True, id="page-production-terminated-as-a-group", marks=with_page),
        pytest.param("prod", signal.SIGINT, True, True, id="page-production-ctrl-c", marks=with_page),
        pytest.param("dev", signal.SIGTERM, False, True, id="page-development-terminated", marks=with_page),
        pytest.param("dev", signal.SIGTERM, True, True, id="page-development-terminated-as-a-group", marks=with_page),
        pytest.param("dev", signal.SIGINT, True, True, id="page-development-ctrl-c", marks=with_page),
    ],
)
async def test_a_server_that_ends_in_mid_reply_stores_the_tails_and_says_why(
    tmp_path: Path,
    database: Database,
    model: ScriptedModelThread,
    mode: Mode,
    sign: signal.Signals,
    to_all: bool,
    has_page: bool,
) -> None:
    with running_server(
        tmp_path,
        mode,
        has_page=has_page,
        OPENAI_BASE_URL=model.base_url,
        CHAT_SEED="false",
        CHAT_SWEEP_EVERY="0.2",
        CHAT_FLUSH_AGE=ONLY_AT_THE_END,
        CHAT_FLUSH_PAUSE=ONLY_AT_THE_END,
    ) as server:
        asked = await ask(database)
        model.held(REPLIES)

        told = time.time()
        # Ctrl-C and systemd tell every process of the group, `kill` and `docker stop` the first alone.
        (os.killpg if to_all else os.kill)(server.process.pid, sign)

        assert server.process.wait(STOP_WITHIN) == 0
        print(f"ended within {time.time() - told:.2f} s")
    for number, stream_id in enumerate(asked):
        model.cancelled(number)
        assert await body(database, stream_id) == Body(TEXT, StreamStatus.ERROR, "The server restarted.", len(TEXT))
        async with database.read() as session:
            ended = (await store.read_stream(session, stream_id)).ended
        assert ended is not None
        print(f"stored within {ended.timestamp() - told:.2f} s")
    assert not NOISE.search(server.log.read_text())
