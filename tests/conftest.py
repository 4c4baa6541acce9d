"""What many tests need: a database of their own, a core that runs on it, and servers that they share."""

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from chat_app.db import Database
from tests.support.core import Core
from tests.support.postgres import Postgres, running_postgres
from tests.support.site import Site, running_site


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A PostgreSQL server with a migrated template."""
    with running_postgres() as postgres:
        asyncio.run(_migrate(postgres.template))
        yield postgres


async def _migrate(url: str) -> None:
    database = Database(url)
    await database.migrate()
    await database.close()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the test's database is: SQLite, and in modules marked `on_both_databases` PostgreSQL too."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return request.getfixturevalue("postgres").new_database()
    return f"sqlite:///{tmp_path}/tributary.db"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database that nobody else has."""
    database = Database(database_url)
    await database.migrate()
    yield database
    await database.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `on_both_databases` once for each."""
    if metafunc.definition.get_closest_marker("on_both_databases") and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


class ServersTogether(LoadScopeScheduling):
    """Gives what starts servers to one process: they share these, and two builds from one checkout would collide."""

    def _split_scope(self, nodeid: str) -> str:
        return "servers" if nodeid.startswith(("tests/browser/", "tests/server/")) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Which process runs what."""
    return ServersTogether(config, log)


@pytest.fixture
async def core(database: Database) -> AsyncIterator[Core]:
    """The streaming core at work on that database."""
    core = Core(database)
    tasks = [asyncio.create_task(core.flusher.run()), asyncio.create_task(core.tailer.run())]
    yield core
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(scope="session")
def production_site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The production server, one for the whole run."""
    with running_site(tmp_path_factory.mktemp("production"), "prod") as site:
        yield site


@pytest.fixture(scope="session")
def development_site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The development server, `reflex run`, one for the whole run."""
    with running_site(tmp_path_factory.mktemp("development"), "dev") as site:
        yield site
