"""The log: no secret in it, wherever in a record it stands and whoever wrote that."""

import logging
import sys
import traceback
from collections.abc import Iterator
from io import StringIO

import pytest
from sqlalchemy.exc import OperationalError

from chat_app.data.db import Database
from chat_app.ops import log
from chat_app.people.identity import COOKIE
from chat_app.people.secrets import new_secret
from chat_app.people.tokens import TOKEN_PREFIX
from tests.support.server import free_port
from tests.support.world import settings

KEY = "sk-CANARY0123456789"
PASSWORD = "pass word/hunter2"
QUOTED = "pass%20word%2Fhunter2"
TOLD = settings(
    openai_api_key=KEY,
    database_url=f"postgresql://me:{QUOTED}@db.example/chat",
    openai_base_url="https://me:swordfish@models.example/v1",
    chat_metrics_token="metrics-of-us",
)
SECRETS = (KEY, PASSWORD, QUOTED, "swordfish", "metrics-of-us")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the log says, as set up for these settings in a process that has logged nothing before."""
    out = StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    level = logging.getLogger("chat_app").level
    log.set_up(TOLD)
    yield out
    logging.getLogger("chat_app").setLevel(level)
    logging.setLogRecordFactory(logging.LogRecord)


@pytest.mark.parametrize("secret", SECRETS)
def test_what_the_operator_has_told_is_hidden_in_message_arguments_and_traceback(
    written: StringIO, secret: str
) -> None:
    logger = logging.getLogger("somebody.else")
    try:
        raise RuntimeError(secret) from ValueError(f"caused by {secret}")
    except RuntimeError:
        logger.exception("failed with %s", {"key": secret})
    logger.warning("too few arguments %s %s", secret)  # noqa: PLE1206  # others get it wrong
    logger.warning(f"as it is: {secret}", stack_info=True)  # noqa: G004  # others write so

    assert secret not in written.getvalue()
    assert written.getvalue().count(log.HIDDEN) == 5
    assert "RuntimeError" in written.getvalue()
    assert "test_log.py" in written.getvalue()


def test_the_source_lines_of_a_stack_are_clean_too(written: StringIO) -> None:
    logging.getLogger().warning("the stack is", *[], stack_info=bool("sk-LITERAL0123456789"))

    assert "test_log.py" in written.getvalue()
    assert "LITERAL" not in written.getvalue()


def test_a_handler_that_comes_later_sees_no_secret_either(written: StringIO) -> None:
    late = StringIO()
    logger = logging.getLogger("reflex.test")
    handler = logging.StreamHandler(late)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.error("the key is %s", KEY, exc_info=ValueError(KEY))
    finally:
        logger.removeHandler(handler)

    assert "ValueError" in late.getvalue()
    assert KEY not in late.getvalue()
    assert written.getvalue() == ""


async def test_what_postgresql_says_of_a_failed_connection_has_no_password() -> None:
    database = Database(f"postgresql://me:{QUOTED}@127.0.0.1:{free_port()}/chat")
    said = f"{database.url} {database.url!r} {database.engine!r}"
    for fails in (database.migrate, database.has_changed, database.engine.connect().start):
        try:
            await fails()
        except OperationalError as error:
            said += "".join(traceback.format_exception(error)) + repr(vars(error))
    await database.close()

    assert said.count("OperationalError") >= 2
    assert PASSWORD not in said
    assert QUOTED not in said


SECRET = "dvm9Ef_k2eMyeJ1mu47vjt8xwDy2tAzQJTCmMP4-aY4"
TOKEN = "trb_IAMYGekjeqG9o78EXGc7C0e6JiYL5ISHzyIn2UhpcX8"
assert len(SECRET) == len(TOKEN.removeprefix(TOKEN_PREFIX)) == len(new_secret())


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"Cookie: theme=dark; {COOKIE}={SECRET}", SECRET),
        (f"cookie: {SECRET}", SECRET),
        (f"Set-Cookie: {COOKIE}={SECRET}; HttpOnly", SECRET),
        (f"{{'cookie': 'session=other-product; {COOKIE}={SECRET}'}}", "other-product"),
        (f"[(b'host', b'x'), (b'cookie', b'{COOKIE}={SECRET}')]", SECRET),
        (f"what came was {COOKIE}={SECRET}", SECRET),
        (
            "a secret and nothing else: 0aB" + "-" * (len(SECRET) - 6) + "_Cd",
            "0aB" + "-" * (len(SECRET) - 6) + "_Cd",
        ),
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        ("Authorization: Basic bWU6aHVudGVyMg==", "bWU6aHVudGVyMg=="),
        ('{"authorization": "Bearer abcdefgh12345678"}', "abcdefgh12345678"),
        ("sent with bearer abcdefgh12345678", "abcdefgh12345678"),
        (f"the token {TOKEN} is not known", TOKEN),
        ("Incorrect API key provided: sk-proj-abc_DEF123.", "sk-proj-abc_DEF123"),
        ("Incorrect API key provided: sk-CANAR*********6789.", "6789"),
        ("could not connect to postgresql+psycopg://me:hunter2@db/chat", "hunter2"),
        ("redis://:hunter2@localhost:6379/0", "hunter2"),
        ("connection string host=db user=me password=hunter2 dbname=chat", "hunter2"),
        ('{"api_key": "hunter2"}', "hunter2"),
    ],
)
def test_what_has_the_form_of_a_secret_is_hidden(line: str, secret: str) -> None:
    cleaned = log.Redactor()(line)
    assert secret not in cleaned
    assert log.HIDDEN in cleaned


@pytest.mark.parametrize(
    "line",
    [
        "the database answers again after 20.0 s",
        "stream 7 had lost its writer (beat 3); its text so far is kept",
        "No valid cookie came with the request. Load the page again: its answer sets one.",
        "reflex___state____state.chat_app___components___sidebar____sidebar.new_thread",
        "look at https://chat.example.org:3000/t/abc and http://[::1]:3000/",
        "a task-manager asks for a risk-assessment",
        '{"stream": 1, "status": "done", "tokens_in": 7, "model": "gpt-5-mini"}',
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert log.Redactor()(line) == line


def test_the_app_tells_of_each_reply_and_others_of_what_is_wrong(written: StringIO) -> None:
    logging.getLogger("chat_app.replies").info('{"stream": 1}')
    logging.getLogger("chat_app.anything").debug("a step")
    logging.getLogger("httpx").info("HTTP Request: POST https://models.example/v1")
    logging.getLogger("httpx").warning("odd")

    lines = [line.split(maxsplit=2)[2] for line in written.getvalue().splitlines()]
    assert lines == ['INFO chat_app.replies: {"stream": 1}', "WARNING httpx: odd"]
