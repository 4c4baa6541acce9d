"""The doctor: what it finds in a deployment, and that the production server does not start into a danger."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from chat_app import doctor
from chat_app.data import db
from chat_app.data.db import Database
from chat_app.doctor import Finding, Verdict
from chat_app.settings import Check, Settings
from tests.support.postgres import Postgres
from tests.support.server import PROJECT, app_environment, free_port
from tests.support.world import settings

OK, WARNING, DANGER = Verdict
START_WITHIN = 100
"""Seconds in which a server that may not start has ended; a build of the page may be part of it."""
PUBLIC = {"allowed_origins": "https://chat.example.org"}


def verdict(finding: Finding, says: str = "") -> Verdict:
    """How bad it is, once it says what it should."""
    assert says in finding.text
    return finding.verdict


def test_the_development_server_is_for_its_own_machine() -> None:
    open_to_all = settings(host="0.0.0.0")
    assert verdict(doctor.mode(settings(), is_production=False)) is OK
    assert verdict(doctor.mode(open_to_all, is_production=False), "make run") is WARNING
    assert verdict(doctor.mode(open_to_all, is_production=True)) is OK


def test_one_process_holds_the_states_of_its_tabs() -> None:
    assert verdict(doctor.workers(settings())) is OK
    assert verdict(doctor.workers(settings(granian_workers=4)), "GRANIAN_WORKERS=4") is DANGER


@pytest.mark.parametrize(
    ("values", "expected", "says"),
    [
        ({}, OK, "http://localhost:3000"),
        (PUBLIC, OK, "https://chat.example.org"),
        ({"host": "0.0.0.0"}, WARNING, "it names none"),
        ({"host": "0.0.0.0"} | PUBLIC, OK, ""),
        ({"allow_any_origin": True, "allowed_origins": "*"}, WARNING, "any website may act as a person"),
    ],
)
def test_the_origins_are_exact_and_named(values: dict[str, Any], expected: Verdict, says: str) -> None:
    assert verdict(doctor.origins(settings(**values)), says) is expected


@pytest.mark.parametrize(
    ("allowed_origins", "expected"),
    [
        ("https://chat.example.org,http://localhost:3000,http://127.0.0.1,http://[::1]:80", OK),
        ("http://192.168.1.20:3000", WARNING),
        ("https://chat.example.org,http://chat.example.org", WARNING),
        ("http://localhost.example.org", WARNING),
    ],
)
def test_the_cookie_goes_over_https(allowed_origins: str, expected: Verdict) -> None:
    assert verdict(doctor.cookie(settings(allowed_origins=allowed_origins))) is expected


@pytest.mark.parametrize(
    ("values", "expected", "says"),
    [
        ({}, OK, "gpt-5-mini at api.openai.com"),
        ({"openai_api_key": None}, OK, "the demo model answers"),
        ({"openai_api_key": None} | PUBLIC, WARNING, "the demo model answers"),
        ({"openai_base_url": "https://models.example.org/v1"}, OK, ""),
        ({"openai_base_url": "http://localhost:11434/v1"}, OK, ""),
        ({"openai_base_url": "http://127.0.0.2/v1"}, OK, ""),
        ({"openai_base_url": "http://models.example.org/v1"}, DANGER, "in clear to models.example.org"),
        ({"openai_base_url": "http://192.168.1.7/v1"}, WARNING, "in clear to 192.168.1.7"),
        ({"openai_base_url": "http://litellm:4000/v1"}, WARNING, "in clear to litellm"),
        ({"openai_base_url": "http://me:hunter2@models.example.org/v1", "openai_api_key": None}, DANGER, "in clear"),
        ({"openai_base_url": "http://models.example.org/v1", "openai_api_key": None}, OK, ""),
    ],
)
def test_the_key_goes_over_https_and_nobody_is_left_to_the_demo_model(
    values: dict[str, Any], expected: Verdict, says: str
) -> None:
    finding = doctor.model(settings(**values))
    assert verdict(finding, says) is expected
    assert "hunter2" not in finding.text
    assert "sk-test" not in finding.text


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A project that other accounts can get to, with a closed .env and a folder for data."""
    with TemporaryDirectory(prefix="tributary-project-") as directory:  # pytest's own folder is closed to them
        project = Path(directory)
        monkeypatch.setattr(doctor, "PROJECT", project)
        project.chmod(0o755)
        (project / ".env").touch(mode=0o600)
        (project / "tributary_streams").mkdir(mode=0o755)
        (project / "data").mkdir(mode=0o700)
        (project / "data" / "chat.db").touch(mode=0o644)
        yield project


def in_project(project: Path, **values: Any) -> Settings:
    return settings(database_url=f"sqlite:///{project}/data/chat.db", **values)


@pytest.mark.skipif(os.name != "posix", reason="there are no file modes")
def test_what_other_accounts_can_read_is_told(project: Path) -> None:
    here, served = in_project(project), in_project(project, **PUBLIC)
    assert verdict(doctor.files(served)) is OK

    (project / ".env").chmod(0o644)
    assert verdict(doctor.files(here), f"chmod o= {project}/.env") is WARNING
    assert verdict(doctor.files(served), f"chmod o= {project}/.env") is DANGER

    (project / ".env").chmod(0o640)
    (project / "data").chmod(0o755)
    assert verdict(doctor.files(served), "chat.db") is DANGER


@pytest.mark.skipif(os.name != "posix", reason="there are no file modes")
@pytest.mark.parametrize("path", [".env", "data", ".", "tributary_streams"])
def test_what_other_accounts_can_write_is_a_danger(project: Path, path: str) -> None:
    (project / path).chmod(0o777)
    assert verdict(doctor.files(in_project(project)), "can write") is DANGER


@pytest.mark.skipif(os.name != "posix", reason="there are no file modes")
async def test_the_app_makes_its_folder_and_files_for_itself_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/tributary.db")
    await database.migrate()
    async with database.read() as session:
        await session.connection()
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").glob("*.db*")}
    await database.close()

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert modes.keys() >= {"tributary.db", "tributary.db-wal"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("version", "expected"), [((3, 34, 1), DANGER), ((3, 35, 0), WARNING), ((3, 51, 2), WARNING), ((3, 51, 3), OK)]
)
def test_sqlite_is_new_enough(version: tuple[int, int, int], expected: Verdict) -> None:
    assert verdict(doctor.sqlite_version(settings(), version), ".".join(map(str, version))) is expected
    assert verdict(doctor.sqlite_version(settings(database_url="postgresql:///chat"), version)) is OK


async def test_the_database_has_the_settings_that_durability_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somewhere = settings(database_url=f"sqlite:///{tmp_path}/data/chat.db")
    assert verdict(await doctor.database(somewhere), "not there yet") is OK
    assert not (tmp_path / "data").exists(), "to look is not to make"

    await Database(somewhere.database_url).migrate()
    assert verdict(await doctor.database(somewhere), "journal_mode wal") is OK

    monkeypatch.setattr("tributary_streams.transactions.prepare_sqlite", lambda _: None)
    assert verdict(await doctor.database(somewhere), "foreign_keys is 0, not 1") is DANGER


async def test_postgresql_tells_its_version_and_timeout(postgres: Postgres) -> None:
    finding = await doctor.database(settings(database_url=postgres.new_database()))
    assert verdict(finding, f"statements end after {db.ANSWER_WITHIN}s") is OK
    assert verdict(doctor._postgresql("13.4 (Debian 13.4-1)", "10s"), "older than 15") is WARNING


async def test_a_database_that_cannot_be_opened_is_told_without_its_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    nobody = f"127.0.0.1:{free_port()}"
    away = await doctor.database(settings(database_url=f"postgresql://me:hunter2@{nobody}/chat"))
    (tmp_path / "chat.db").write_text("this is no database, and long enough to be seen as none by SQLite" * 20)
    broken = await doctor.database(settings(database_url=f"sqlite:///{tmp_path}/chat.db"))

    assert verdict(away, "look at DATABASE_URL") is DANGER
    assert verdict(broken, "look at DATABASE_URL") is DANGER
    assert "hunter2" not in f"{away.text}{caplog.text}"


async def test_everything_is_looked_at_and_what_the_operator_accepts_is_a_warning() -> None:
    values = {"openai_base_url": "http://models.example.org/v1", "granian_workers": 2}
    found = await doctor.examine(settings(**values))
    assert [finding.check for finding in found if finding.verdict is DANGER] == [Check.WORKERS, Check.MODEL]
    assert {finding.check for finding in found} == set(Check)
    assert "CHAT_ACCEPTED_DANGERS=workers,model" in doctor.refusal(found)

    accepted = await doctor.examine(settings(**values, chat_accepted_dangers="model, workers"))
    assert {finding.verdict for finding in accepted if finding.check in {Check.MODEL, Check.WORKERS}} == {WARNING}
    assert doctor.refusal(accepted) == ""


async def test_a_development_server_is_never_refused(caplog: pytest.LogCaptureFixture) -> None:
    dangerous = {"openai_base_url": "http://models.example.org/v1"}
    await doctor.admit(settings(**dangerous), is_production=False)
    assert caplog.records == []

    await doctor.admit(settings(host="0.0.0.0", **dangerous), is_production=False)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "in clear to models.example.org" in caplog.text


def test_the_command_prints_a_line_for_each_check_and_its_status_tells_of_dangers(tmp_path: Path) -> None:
    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chat_app.doctor"],
            cwd=PROJECT,
            env=app_environment(DATABASE_URL=f"sqlite:///{tmp_path}/chat.db", **variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    well, ill = run(), run(OPENAI_API_KEY="sk-hunter2", OPENAI_BASE_URL="http://models.example.org/v1")

    assert (well.returncode, well.stderr) == (0, "")
    assert [line.split()[1] for line in well.stdout.splitlines()] == list(Check)
    assert ill.returncode == 1
    assert "danger  model" in ill.stdout
    assert "hunter2" not in ill.stdout + ill.stderr


BACKEND_ALONE = """
from reflex.utils import exec
from reflex_base.constants import Env, LogLevel
from reflex_base.environment import environment
import sys
environment.REFLEX_ENV_MODE.set(Env.PROD)
environment.REFLEX_SKIP_COMPILE.set(True)
exec.run_backend_prod("127.0.0.1", int(sys.argv[1]), LogLevel.INFO, False)
"""
"""What `reflex run --env prod` does once it has built the page."""


@pytest.mark.server
@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-c", BACKEND_ALONE], id="backend"),
        pytest.param(
            [str(Path(sys.executable).parent / "reflex"), "run", "--env", "prod", "--frontend-port"],
            id="all",
            marks=pytest.mark.security,
        ),
    ],
)
def test_a_production_server_does_not_start_into_a_danger(tmp_path: Path, command: list[str]) -> None:
    port = str(free_port())
    start = subprocess.Popen(
        [*command, port],
        cwd=PROJECT,
        env=app_environment(
            DATABASE_URL=f"sqlite:///{tmp_path}/data/chat.db",
            OPENAI_API_KEY="sk-hunter2",
            OPENAI_BASE_URL="http://models.example.org/v1",
            PORT=port,
            REFLEX_WEB_WORKDIR=str(PROJECT / ".web" / "test-prod-once"),
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = start.communicate(timeout=START_WITHIN)
    finally:
        if start.poll() is None:
            os.killpg(start.pid, signal.SIGKILL)

    assert start.returncode == 1
    assert "Not started, because it would be dangerous:\ndanger  model     the key and all" in err
    assert "To start all the same, set CHAT_ACCEPTED_DANGERS=model\n" in err
    assert "Traceback" not in out + err
    assert "hunter2" not in out + err
    assert not (tmp_path / "data").exists(), "nothing was opened"
