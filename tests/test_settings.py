"""What an operator can set: the defaults, and what is said of each kind of mistake."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chat_app.settings import PROJECT, Settings, SettingsError, get_settings, read_settings
from tributary_streams.chunker import Granularity

ORIGINS = ("http://localhost:3000", "http://127.0.0.1:3000")
EXAMPLE = (PROJECT / ".env.example").read_text()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of ours is set, and `.env` is a file in the test's own folder, which need not exist."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    env_file = tmp_path / ".env"
    monkeypatch.setitem(Settings.model_config, "env_file", env_file)
    return env_file


def fault(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """The line that these variables stop the start with."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_nothing_has_to_be_set():
    settings = read_settings()

    assert settings.uses_demo_model
    assert settings.openai_model == "gpt-5-mini"
    assert settings.database_url == f"sqlite:///{PROJECT}/data/tributary.db"
    assert (settings.host, settings.port, settings.allowed_origins) == ("127.0.0.1", 3000, ORIGINS)
    assert settings.chat_seed
    assert settings.chat_granularity is Granularity.SENTENCE
    assert (settings.chat_flush_chars, settings.chat_flush_pause, settings.chat_flush_age) == (400, 0.5, 1.0)
    assert (settings.chat_lease_renew, settings.chat_lease_expiry, settings.chat_sweep_every) == (5, 30, 10)
    assert (settings.chat_first_delta_timeout, settings.chat_gap_timeout) == (120, 60)
    assert (settings.chat_context_messages, settings.chat_max_reply_tokens) == (40, 4096)


def test_the_example_file_shows_every_setting_with_its_default(bare_environment: Path):
    assignments = re.findall(r"^#([A-Z_]+=.*)$", EXAMPLE, flags=re.MULTILINE)
    bare_environment.write_text("\n".join(assignments))

    shown = {line.split("=")[0].lower() for line in assignments}
    assert shown == {name for name in Settings.model_fields if not name.startswith(("reflex_", "granian_"))}
    assert read_settings() == Settings(_env_file=None)  # pyright: ignore[reportCallIssue] - pydantic-settings adds it


def test_the_environment_wins_over_the_file(bare_environment: Path, monkeypatch: pytest.MonkeyPatch):
    bare_environment.write_text("OPENAI_MODEL=from-file\nPORT=4000\nOPENAI_API_KEY=sk-file\n")
    monkeypatch.setenv("OPENAI_MODEL", "from-environment")
    monkeypatch.setenv("OPENAI_API_KEY", "")

    settings = read_settings()

    assert settings.openai_model == "from-environment"
    assert settings.port == 4000
    assert settings.uses_demo_model, "an empty variable means unset, also where the file sets it"


@pytest.mark.parametrize("name", sorted(name.upper() for name in Settings.model_fields))
def test_an_empty_variable_means_the_default(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, " ")

    assert read_settings() == Settings(_env_file=None)  # pyright: ignore[reportCallIssue] - pydantic-settings adds it


@pytest.mark.parametrize(
    ("name", "value", "may_be"),
    [
        ("OPENAI_API_KEY", "two words", "one word of printable ASCII characters"),
        ("OPENAI_BASE_URL", "ftp://models.example.org", "an http:// or https:// address, such as"),
        ("OPENAI_BASE_URL", "localhost:11434", "an http:// or https:// address, such as"),
        ("OPENAI_BASE_URL", "http://localhost:99999/v1", "an http:// or https:// address, such as"),
        ("DATABASE_URL", "mysql://host/db", "sqlite:///path/to/file.db or postgresql://user:password@host/database"),
        ("DATABASE_URL", "postgresql+psycopg2://host/db", "sqlite:///path/to/file.db or postgresql://"),
        ("DATABASE_URL", "postgresql://host", "sqlite:///path/to/file.db or postgresql://"),
        ("DATABASE_URL", "sqlite://", "sqlite:///path/to/file.db or postgresql://"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///path/to/file.db or postgresql://"),
        ("DATABASE_URL", "data/tributary.db", "sqlite:///path/to/file.db or postgresql://"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "70000", "a whole number from 1 to 65535"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("HOST", "chat.example.org", "an IP address of this machine, such as 127.0.0.1"),
        ("HOST", "127.0.0.1:3000", "an IP address of this machine, such as 127.0.0.1"),
        ("ALLOWED_ORIGINS", "*", "(* only together with ALLOW_ANY_ORIGIN=true)"),
        ("ALLOWED_ORIGINS", "https://*.example.org", "a comma-separated list of exact origins"),
        ("ALLOWED_ORIGINS", "chat.example.org", "a comma-separated list of exact origins"),
        ("TRUSTED_PROXIES", "proxy.example.org", "a comma-separated list of IP addresses or networks"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "such as 127.0.0.1, 10.0.0.0/8"),
        ("CHAT_CONNECTIONS_PER_ADDRESS", "0", "a whole number from 1 to 1000000"),
        ("ALLOWED_ORIGINS", "null", "a comma-separated list of exact origins"),
        ("ALLOWED_ORIGINS", "https://ok.example.org,https://chat.example.org/page", "exact origins"),
        ("ALLOW_ANY_ORIGIN", "perhaps", "true or false"),
        ("GRANIAN_WORKERS", "0", "a whole number from 1 to 1000"),
        ("CHAT_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("CHAT_ACCEPTED_DANGERS", "files, everything", "a comma-separated list of mode, workers, origins"),
        ("CHAT_SEED", "perhaps", "true or false"),
        ("CHAT_GRANULARITY", "page", "one of delta, word, sentence, line, paragraph"),
        ("CHAT_CONTEXT_MESSAGES", "0", "a whole number from 1 to 1000"),
        ("CHAT_MAX_REPLY_TOKENS", "many", "a whole number from 1 to 1000000"),
        ("CHAT_FLUSH_CHARS", "1.5", "a whole number from 1 to 100000"),
        ("CHAT_FLUSH_AGE", "nan", "a number from 0.01 to 60"),
        ("CHAT_GAP_TIMEOUT", "-1", "a number from 0 to 86400"),
        ("CHAT_GAP_TIMEOUT", "inf", "a number from 0 to 86400"),
        ("CHAT_LEASE_EXPIRY", "10", "more than twice CHAT_LEASE_RENEW"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_it_may_be(
    name: str, value: str, may_be: str, monkeypatch: pytest.MonkeyPatch
):
    line = fault(monkeypatch, **{name: value})

    assert line.startswith(f"Wrong setting: {name} must be ")
    assert may_be in line


def test_several_wrong_values_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch):
    line = fault(monkeypatch, PORT="none", CHAT_SEED="perhaps")

    assert line == "Wrong setting: PORT must be a whole number from 1 to 65535; CHAT_SEED must be true or false."


def test_a_broken_file_is_named(bare_environment: Path):
    bare_environment.write_bytes(b"OPENAI_MODEL=\xff\xfe")

    with pytest.raises(SettingsError, match=r"\.env must be a readable UTF-8 file"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "sk-hunter2 oops"),
        ("DATABASE_URL", "postgres://me:hunter2@host/db"),
        ("OPENAI_BASE_URL", "ftp://me:hunter2@host/v1"),
    ],
)
def test_a_wrong_secret_is_not_repeated(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    assert "hunter2" not in fault(monkeypatch, **{name: value})


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:hunter2@host/v1")

    settings = read_settings()

    assert "hunter2" not in repr(settings)
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-hunter2"


@pytest.mark.parametrize(
    ("name", "value"), [("OPENAI_API_KEY", "sk-1"), ("OPENAI_BASE_URL", "http://localhost:11434/v1")]
)
def test_a_key_or_an_endpoint_takes_the_place_of_the_demo_model(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, value)

    assert not read_settings().uses_demo_model


def test_trusted_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch):
    assert read_settings().trusted_proxies == ()
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8 ,::1")

    assert read_settings().trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8", "::1/128")


def test_a_relative_database_file_is_in_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere/chat.db")

    assert read_settings().database_url == f"sqlite:///{PROJECT}/elsewhere/chat.db"


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/chat.db", "postgresql://me:p%40ss@host:5432/db", "postgresql:///db"]
)
def test_other_databases_are_taken_as_they_are(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", url)

    assert read_settings().database_url == url


@pytest.mark.parametrize(
    ("variables", "origins"),
    [
        ({"PORT": "4000"}, ("http://localhost:4000", "http://127.0.0.1:4000")),
        ({"PORT": "80"}, ("http://localhost", "http://127.0.0.1")),
        ({"HOST": "0.0.0.0"}, ORIGINS),
        ({"HOST": "localhost"}, ORIGINS),
        ({"HOST": "192.168.1.5"}, (*ORIGINS, "http://192.168.1.5:3000")),
        ({"HOST": "::1"}, (*ORIGINS, "http://[::1]:3000")),
        # In production Reflex sets both to the same port, in development the page has one and the server another.
        ({"PORT": "1", "REFLEX_FRONTEND_PORT": "3000", "REFLEX_BACKEND_PORT": "3000"}, ORIGINS),
        (
            {"REFLEX_FRONTEND_PORT": "3000", "REFLEX_BACKEND_PORT": "8000"},
            (*ORIGINS, "http://localhost:8000", "http://127.0.0.1:8000"),
        ),
        ({"ALLOWED_ORIGINS": "*", "ALLOW_ANY_ORIGIN": "true"}, ("*",)),
        # As browsers send them: lower case, without the scheme's own port, each once.
        (
            {"ALLOWED_ORIGINS": " https://Chat.Example.org:443/ ,http://[::1]:80, https://chat.example.org"},
            ("https://chat.example.org", "http://[::1]"),
        ),
    ],
)
def test_the_origins_that_may_connect(
    variables: dict[str, str], origins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert read_settings().allowed_origins == origins


def test_settings_are_read_once_and_never_change():
    get_settings.cache_clear()
    settings = get_settings()

    assert get_settings() is settings
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_a_wrong_value_stops_the_start_with_one_line():
    start = subprocess.run(
        [sys.executable, "-c", "import rxconfig"],
        cwd=PROJECT,
        env={**os.environ, "PORT": "http", "OPENAI_API_KEY": "sk-hunter2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert start.returncode == 2
    assert start.stderr == "Wrong setting: PORT must be a whole number from 1 to 65535.\n"
    assert start.stdout == ""
