"""What many tests need: a database of their own, a core that runs on it, and servers that they share."""

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from pathlib import Path

import pytest

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


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what starts servers in one process: they share these, and two builds from one checkout would collide."""
    for item in items:
        if item.get_closest_marker("server") is not None:
            item.add_marker(pytest.mark.xdist_group("servers"))


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
