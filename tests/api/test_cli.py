"""The command line against a served interface: what it prints, where it resumes, and its exit status."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.api.conftest import Interface
from tests.support.server import PROJECT
from tests.support.world import WITHIN
from tributary_streams import Finish, SourceError
from tributary_streams.columns import new_id


@asynccontextmanager
async def command(url: str, *arguments: str, **variables: str) -> AsyncIterator[Process]:
    """The command line, started."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TRIBUTARY_", "PYTHONUNBUFFERED"))
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chat_app.cli", *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=PROJECT,
        env={**kept, "TRIBUTARY_URL": url, **variables},
    )
    try:
        async with asyncio.timeout(WITHIN):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(url: str, *arguments: str, given: str = "", **variables: str) -> tuple[int | None, str, str]:
    """Its exit status, output and complaints."""
    async with command(url, *arguments, **variables) as process:
        output, complaints = await process.communicate(given.encode())
    return process.returncode, output.decode(), complaints.decode()


async def test_a_question_from_a_pipe_is_answered_to_a_pipe_as_it_comes(interface: Interface) -> None:
    source = interface.world.model.source(0)
    source.say("Naïve 👋 ")
    async with command(interface.url, "ask", "-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"What is new?\n")
        process.stdin.close()
        assert (await process.stdout.readexactly(len("Naïve 👋 ".encode()))).decode() == "Naïve 👋 "
        source.say("answer.", Finish())
        assert (await process.stdout.read()).decode() == "answer.\n"
        assert process.stderr is not None
        assert "trb_" not in (await process.stderr.read()).decode()
        assert await process.wait() == 0
    assert "What is new?" in str(interface.world.model.asked[0][-1])


@pytest.mark.parametrize(
    ("ending", "status", "complaint"),
    [
        (Finish(), 0, ""),
        (Finish("Cut short."), 0, "done: Cut short.\n"),
        (SourceError("No key."), 1, "error: No key.\n"),
    ],
)
async def test_the_exit_status_tells_how_a_reply_ended(
    interface: Interface, ending: Finish | SourceError, status: int, complaint: str, tmp_path: Path
) -> None:
    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        interface.world.model.source(0).say("Half of it", ending)
        await interface.world.written()
        secret = tmp_path / "token"
        secret.write_text(f"{ada.token}\n")
        secret.chmod(0o600)
        told = await run(interface.url, "follow", stream_id, "--offset", "5", TRIBUTARY_TOKEN_FILE=str(secret))
        assert told == (status, "of it\n", complaint)


def test_no_id_looks_like_an_option() -> None:
    assert all(new_id().isalnum() and len(new_id()) == 22 for _ in range(2000))


async def test_a_broken_connection_is_taken_up_where_it_broke(interface: Interface) -> None:
    """A proxy between the two breaks every connection after 20,000 bytes."""
    connections = 0

    async def passes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(interface.url.rpartition(":")[2]))
        inner_writer.write(await reader.readuntil(b"\r\n\r\n"))
        left = 20_000
        while left > 0 and (data := await inner_reader.read(left)):
            writer.write(data)
            left -= len(data)
        for each in (writer, inner_writer):
            each.close()

    async with interface.guest() as ada:
        stream_id = await ada.ask(await ada.thread())
        words = [f"word{number} 漢字 " for number in range(3000)]
        interface.world.model.source(0).say(*words, Finish())
        await interface.world.written()
        async with await asyncio.start_server(passes, "127.0.0.1", 0) as proxy:
            url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
            status, output, _ = await run(url, "follow", stream_id, TRIBUTARY_TOKEN=ada.token)
    assert (status, output) == (0, "".join(words) + "\n")
    assert connections > 1


async def test_what_cannot_be_is_said_in_a_line_and_by_the_exit_status(interface: Interface, tmp_path: Path) -> None:
    async with interface.guest() as ada:
        unknown = await run(interface.url, "follow", "kZ0m4Vb2TtqkYw5n0hPz3A", TRIBUTARY_TOKEN=ada.token)
        assert unknown == (5, "", "404: This does not exist, or you may not see it.\n")
        nobody = await run(interface.url, "threads", TRIBUTARY_TOKEN="trb_wrong")
        assert nobody[0] == 5
        open_file = tmp_path / "token"
        open_file.write_text(ada.token)
        open_file.chmod(0o644)
        status, _, complaint = await run(interface.url, "threads", TRIBUTARY_TOKEN_FILE=str(open_file))
        assert (status, ada.token in complaint) == (2, False)
        assert "chmod 600" in complaint


async def test_threads_are_listed_and_exported(interface: Interface) -> None:
    async with interface.guest() as ada:
        thread_id = await ada.thread(title="Release notes")
        listed = await run(interface.url, "threads", TRIBUTARY_TOKEN=ada.token)
        assert listed == (0, f"{thread_id}\tRelease notes\n", "")
        status, exported, _ = await run(interface.url, "export", thread_id, TRIBUTARY_TOKEN=ada.token)
        assert (status, exported) == (0, "# Release notes\n")


def test_it_starts_without_the_server() -> None:
    ours = "name for name in sys.modules if name.startswith(('chat_app.', 'reflex'))"
    script = f"import sys, chat_app.cli; print(*({ours}))"

    shown = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["chat_app.cli"]
