"""What many tests need: a database of their own, a core that runs on it, and servers that they share."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
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


def _memory() -> Path | None:
    """A folder in memory, where there is one with room: what a test stores need not outlive a loss of power."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


ROOM = 1_000_000_000
"""Bytes; far more than the databases of all processes at any time."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Generator[str]:
    """Where a migrated database is that nobody else has: SQLite, and for `on_both_databases` PostgreSQL too."""
    if getattr(request, "param", "sqlite") == "postgresql":
        yield request.getfixturevalue("postgres").new_database()
        return
    with TemporaryDirectory(prefix="tributary-", dir=_memory(), ignore_cleanup_errors=True) as directory:
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), directory)}"


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
        marks = [pytest.mark.postgresql, *(getattr(pytest.mark, mark) for mark in mark.kwargs.values())]
        urls = ["sqlite", pytest.param("postgresql", marks=marks)]
        metafunc.parametrize("database_url", urls, indirect=True)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what asks for PostgreSQL itself."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgresql)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Name what fails as soon as it does, and not at the end of the run alone."""
    if not report.failed:
        return None
    category = "failed" if report.when == "call" else "error"
    return category, f"\n{category.upper()} {report.nodeid}\n", category.upper()


ON_THE_SITE = ("tests/browser/", *(f"tests/server/test_{name}" for name in ("socket", "slow_reader", "wire")))
"""What asks a production server, of which each process that has some of it starts one of its own."""
ON_BOTH_SITES = ("tests/browser/test_streaming.py", "tests/browser/test_api.py")
"""What asks a development server too: one process has it all."""
LONG = (
    *("browser/test_page", "browser/test_accessibility", "browser/test_people", "browser/test_content"),
    *("server/test_kills", "server/test_two_processes", "server/test_shutdown", "streaming/test_properties"),
    *("browser/", "api/test_", "test_database", "test_permissions", "test_access", "test_"),
)
"""How files begin that are to be begun before others, in this order."""


class LongestFirst(LoadScopeScheduling):
    """Gives each process a file of tests at a time, the long ones first, so that all processes end together.

    Two thirds of the processes run the tests that need a server and a browser, the others the rest.
    """

    def _split_scope(self, nodeid: str) -> str:
        return ON_BOTH_SITES[0] if nodeid.startswith(ON_BOTH_SITES) else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        has_site = self.nodes.index(node) < max(1, len(self.nodes) * 2 // 3)
        first = min(self.workqueue, key=lambda scope: (scope.startswith(ON_THE_SITE) != has_site, _haste(scope)))
        self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


def _haste(scope: str) -> int:
    """How early a file is begun; lower is earlier."""
    beginnings = (ON_BOTH_SITES[0], *(f"tests/{begins}" for begins in LONG))
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
    """The production server, one for all tests of this process."""
    with running_site(tmp_path_factory.mktemp("production"), "prod") as site:
        yield site


@pytest.fixture(scope="session")
def development_site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The development server, `reflex run`, one for all tests of this process."""
    with running_site(tmp_path_factory.mktemp("development"), "dev") as site:
        yield site
