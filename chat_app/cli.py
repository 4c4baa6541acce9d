"""The command line: ask the AI, follow a reply, list and export threads, on any server, only over HTTP.

    python -m chat_app.cli ask "What is new?"             a new thread; the reply goes to standard output as it comes
    git diff | python -m chat_app.cli ask --thread ID -   the text from standard input
    python -m chat_app.cli follow STREAM --offset 120     any reply, from anywhere, while it runs or later
    python -m chat_app.cli threads
    python -m chat_app.cli export ID --format json

TRIBUTARY_URL is the server and TRIBUTARY_TOKEN says who you are; without a token, `ask` creates a new guest. A broken
connection is resumed where it broke. Exit status: 0 done, 1 error, 2 wrong usage, 3 timeout, 4 stopped, 5 refused by
the server, for example not permitted or unknown, 6 the server does not answer, 130 interrupted.
"""

import argparse
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import httpx
from httpx_sse import EventSource
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

TRIES = 3
"""How often a request is tried before the server counts as away."""
FOLLOW_TRIES = 10
"""The same for following a reply, which may outlast a restart of the server: a minute or two."""
LONGEST_WAIT = 15.0
"""The most seconds between two tries."""
SILENCE = 45.0
"""Seconds of silence after which a connection counts as dead: the server sends a heartbeat every 15."""
STATUSES = {"done": 0, "error": 1, "timeout": 3, "stopped": 4}
"""The exit status for each terminal status of a reply."""
USAGE, REFUSED, AWAY, INTERRUPTED = 2, 5, 6, 130
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
EVENTS = {"Accept": "text/event-stream"}


class Environment(BaseSettings):
    """The settings from the environment."""

    model_config = SettingsConfigDict(env_prefix="TRIBUTARY_")

    url: str = "http://localhost:3000"
    token: SecretStr | None = None
    token_file: Path | None = None


class Problem(Exception):
    """An error message for the user, and the exit status."""

    def __init__(self, status: int, words: str) -> None:
        """`status` is the exit status."""
        super().__init__(words)
        self.status = status


class Connection:
    """A connection to a server as one person."""

    def __init__(self, url: str, token: str) -> None:
        """Args:
        url: where the page is served, without `/api`.
        token: a bearer token, or "" if there is none yet.
        """
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=httpx.Timeout(30, read=SILENCE))
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def take_part(self) -> str:
        """Become a new guest if there is no token yet; returns the new guest's token, otherwise ""."""
        if "Authorization" in self._http.headers:
            return ""
        token: str = self._call("POST", "/api/guests", json={})["token"]
        self._http.headers["Authorization"] = f"Bearer {token}"
        return token

    def threads(self) -> list[dict[str, Any]]:
        """The threads in this person's list."""
        return self._call("GET", "/api/threads")

    def begin_thread(self) -> str:
        """Create a thread that only people with its address can find; returns its id."""
        return self._call("POST", "/api/threads", json={"visibility": "link"})["id"]

    def ask(self, thread_id: str, text: str) -> str:
        """Post a message; returns the id of the reply's stream. The key makes a repeated try the same message."""
        body, key = {"text": text, "reply": True}, {"Idempotency-Key": uuid4().hex}
        return self._call("POST", f"/api/threads/{thread_id}/messages", json=body, headers=key)["reply"]["stream_id"]

    def export(self, thread_id: str, file_format: str) -> Iterator[str]:
        """The exported file, in parts."""
        path = f"/api/threads/{thread_id}/export"
        with self._http.stream("GET", path, params={"format": file_format}) as answer:
            _check(answer)
            yield from answer.iter_text()

    def follow(self, stream_id: str, offset: int, show: Callable[[str], None]) -> dict[str, Any]:
        """Show exactly text[offset:] as it comes, over any number of connections; return how it ended."""
        while True:
            before = offset
            for attempt in _retrying(FOLLOW_TRIES):  # counted anew after each connection that brought text
                with attempt:
                    for kind, data in self._events(stream_id, offset):
                        if kind == "end":
                            return data
                        show(data["text"])
                        offset += len(data["text"])
                    if offset == before:
                        raise httpx.RemoteProtocolError("the stream broke off before its end")
                if offset > before:
                    break

    def _events(self, stream_id: str, offset: int) -> Iterator[tuple[str, dict[str, Any]]]:
        path = f"/api/streams/{stream_id}/events"
        with self._http.stream("GET", path, params={"offset": offset}, headers=EVENTS) as answer:
            _check(answer)
            for event in EventSource(answer).iter_sse():
                yield event.event, event.json()

    def _call(self, method: str, path: str, **values: Any) -> Any:
        for attempt in _retrying(TRIES):
            with attempt:
                answer = self._http.request(method, path, **values)
                _check(answer)
                return answer.json()
        raise AssertionError("the last attempt returns or raises")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        environment = Environment()
        with Connection(asked.url or environment.url, _token(environment)) as connection:
            return _do(asked, connection)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return problem.status
    except httpx.HTTPStatusError as error:
        print(_words(error.response), file=sys.stderr)
        return REFUSED if error.response.is_client_error else AWAY
    except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:  # or another kind of server answers
        print(f"The server does not answer as it should ({type(error).__name__}).", file=sys.stderr)
        return AWAY
    except KeyboardInterrupt:
        return INTERRUPTED


def _do(asked: argparse.Namespace, connection: Connection) -> int:
    match asked.command:
        case "ask":
            text = sys.stdin.read() if asked.text == "-" else asked.text
            if (token := connection.take_part()) and sys.stderr.isatty():
                print(f"You are a new guest: TRIBUTARY_TOKEN={token}", file=sys.stderr)
            thread_id = asked.thread or connection.begin_thread()
            print(f"thread {thread_id}", file=sys.stderr)
            stream_id = connection.ask(thread_id, text)
            print(f"stream {stream_id}", file=sys.stderr)
            return _follow(connection, stream_id, 0)
        case "follow":
            return _follow(connection, asked.stream, asked.offset)
        case "threads":
            for thread in connection.threads():
                print(thread["id"], _harmless(thread["title"]), sep="\t")
        case "export":
            for part in connection.export(asked.thread, asked.format):
                _show(part)
    return 0


def _follow(connection: Connection, stream_id: str, offset: int) -> int:
    ending = connection.follow(stream_id, offset, _show)
    _show("\n")
    if ending["reason"] or ending["status"] != "done":
        print(_harmless(f"{ending['status']}: {ending['reason']}".rstrip(": ")), file=sys.stderr)
    return STATUSES[ending["status"]]


def _show(text: str) -> None:
    sys.stdout.write(_harmless(text))
    sys.stdout.flush()


def _harmless(text: str) -> str:
    """The text without control characters for a terminal; a file or a pipe gets it as it is."""
    return CONTROLS.sub("\ufffd", text) if sys.stdout.isatty() else text


def _token(environment: Environment) -> str:
    if environment.token is not None:
        return environment.token.get_secret_value()
    if environment.token_file is None:
        return ""
    try:
        if stat.S_IMODE(environment.token_file.stat().st_mode) & 0o077:
            raise Problem(USAGE, f"{environment.token_file} can be read by others: chmod 600 it.")
        return environment.token_file.read_text().strip()
    except OSError as error:
        raise Problem(USAGE, f"{environment.token_file}: {error.strerror}.") from None


def _retrying(tries: int) -> Retrying:
    return Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(tries),
        wait=wait_random_exponential(0.5, LONGEST_WAIT),
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: the connection broke, or the server is not available now."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (502, 503, 504)
    return isinstance(error, (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError))


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        answer.read()
    answer.raise_for_status()


def _words(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code}: {answer.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m chat_app.cli", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="where the page is served; by default TRIBUTARY_URL, else http://localhost:3000")
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("ask", help="post a message and print the reply as it comes")
    ask.add_argument("text", help="the message, or - for standard input")
    ask.add_argument("--thread", help="where; by default a new thread")
    follow = commands.add_parser("follow", help="print a reply from any offset to its end")
    follow.add_argument("stream")
    follow.add_argument("--offset", type=int, default=0, help="code points that you have")
    commands.add_parser("threads", help="list your threads: id, tab, title")
    export = commands.add_parser("export", help="print a whole thread")
    export.add_argument("thread")
    export.add_argument("--format", choices=("markdown", "json"), default="markdown")
    return parser


def _end() -> NoReturn:
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` ends quietly
    status = main()
    if status == INTERRUPTED:  # end by the signal, as a shell expects of a program that it interrupts
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    raise SystemExit(status)


if __name__ == "__main__":
    _end()
