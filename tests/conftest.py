"""What many tests need: a database of their own, a core that runs on it, and servers that they share."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

from chat_app.data.db import Database
from tests.support.core import Core
from tests.support.postgres import Postgres, running_postgres
from tests.support.site import Site, running_site


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A PostgreSQL server with a migrated template."""
    with running_postgres() as postgres:
        asyncio.run(_migrate(postgres.template))
        yield postgres


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    file = tmp_path_factory.mktemp("template") / "tributary.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return file


async def _migrate(url: str) -> None:
    database = Database(url)
    await database.migrate()
    await database.close()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a migrated database is that nobody else has: SQLite, and for `on_both_databases` PostgreSQL too."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return request.getfixturevalue("postgres").new_database()
    file = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "tributary.db")
    return f"sqlite:///{file}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """That database."""
    database = Database(database_url)
    yield database
    await database.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `on_both_databases` once for each; with `by`, on PostgreSQL only by that mark's run."""
    mark = metafunc.definition.get_closest_marker("on_both_databases")
    if mark is not None and "database_url" in metafunc.fixturenames:
        only_by = [getattr(pytest.mark, mark.kwargs["by"])] if mark.kwargs else []
        urls = ["sqlite", pytest.param("postgresql", marks=only_by)]
        metafunc.parametrize("database_url", urls, indirect=True)


ON_THE_SITE = ("tests/browser/", *(f"tests/server/test_{name}" for name in ("socket", "slow_reader", "wire")))
"""What shares the production server: one process has it all, for another would build and start a server of its own."""
LONG = ("tests/streaming/test_properties.py", "tests/server/", "tests/test_")


class LongestFirst(LoadScopeScheduling):
    """Gives each process a file of tests at a time, the long ones first, so that all processes end together."""

    def _split_scope(self, nodeid: str) -> str:
        return ON_THE_SITE[0] if nodeid.startswith(ON_THE_SITE) else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=_haste), last=False)
        super()._assign_work_unit(node)


def _haste(scope: str) -> int:
    """How early a file is begun; lower is earlier."""
    beginnings = (*ON_THE_SITE, *LONG)
    return next((place for place, begins in enumerate(beginnings) if scope.startswith(begins)), len(beginnings))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Which process runs what."""
    return LongestFirst(config, log)


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
