"""Settings: documented one by one, the environment beats the default, bad values are named."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
from pydantic import SecretStr
from re2llm.errors import DatabaseError, InputError
from re2llm.knowledge.embedded_postgres.database import start_embedded
from re2llm.llm.embedding.cache import EmbeddingCache
from re2llm.operations.doctor.doctor import diagnose
from re2llm.runtime.context import Context
from re2llm.settings import Settings, get_settings, setting_sources

EXAMPLE = Path(__file__).parents[1] / ".env.example"
DOCUMENTED = dict(
    re.findall(r"^# (RE2LLM_[A-Z_]+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
)
PLACES = {"home"}  # a default that depends on the machine


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RE2LLM_{name.upper()}", raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_env_example_documents_every_setting_and_nothing_else():
    assert set(DOCUMENTED) == {f"RE2LLM_{name.upper()}" for name in Settings.model_fields}


def test_env_example_shows_the_defaults_and_empty_means_unset(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        "".join(f"{name}={value}\n" for name, value in DOCUMENTED.items()),
        encoding="utf-8",
    )
    assert Settings(_env_file=file).model_dump(exclude=PLACES) == Settings(
        _env_file=None
    ).model_dump(exclude=PLACES)


def test_environment_beats_env_file_beats_default(monkeypatch, tmp_path):
    assert get_settings().pool_size == 10
    (tmp_path / ".env").write_text("RE2LLM_POOL_SIZE=3\nRE2LLM_DOMAIN=games\n", encoding="utf-8")
    monkeypatch.setenv("RE2LLM_POOL_SIZE", "4")
    get_settings.cache_clear()
    assert get_settings().pool_size == 4
    assert get_settings().domain == "games"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RE2LLM_POOL_SIZE", "many"),
        ("RE2LLM_POOL_SIZE", "0"),
        ("RE2LLM_DATABASE_TIMEOUT", "-1"),
        ("RE2LLM_POLICY", "clairvoyant"),
        ("RE2LLM_TEMPERATURE", "-0.5"),
        ("RE2LLM_PRICES", "cheap"),
        ("RE2LLM_PRICES", "[1, 2]"),
        ("RE2LLM_PRICES", '{"m": [-1, 2]}'),
        ("RE2LLM_PRICES", '{"m": [1, 2, -0.1]}'),
        ("RE2LLM_PRICES", '{"m": [NaN, 2]}'),
        ("RE2LLM_PRICES", '{"m": [1, Infinity]}'),
        ("RE2LLM_PRICES", '{"m": [1]}'),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name) as caught:
        get_settings()
    assert caught.value.field == name
    assert ".env.example" in caught.value.remedy


FLOATS = [name for name, field in Settings.model_fields.items() if "float" in str(field.annotation)]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999"])
@pytest.mark.parametrize("name", [name for name in FLOATS if name != "prices"])
def test_every_number_is_finite(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RE2LLM_{name.upper()}", value)
    with pytest.raises(InputError) as caught:
        get_settings()
    assert caught.value.field == f"RE2LLM_{name.upper()}"


def test_a_price_that_does_not_fit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RE2LLM_PRICES", '{"openai:gpt": [1, -2]}')
    with pytest.raises(InputError, match=r"^RE2LLM_PRICES: .* at openai:gpt\.1\."):
        get_settings()


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("RE2LLM_DOMAIN=Bücher\n".encode("latin-1"))
    with pytest.raises(
        InputError, match=r"^\.env: It is not UTF-8: .* Save it as UTF-8\."
    ) as caught:
        get_settings()
    assert caught.value.field == ".env"


@pytest.mark.parametrize("read", [get_settings, setting_sources])
@pytest.mark.timeout(20)
def test_a_pipe_is_refused_by_name(tmp_path: Path, read: Callable[[], object]) -> None:
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(InputError, match=r"^\.env: It is a pipe, .* Make it a file") as caught:
        read()
    assert caught.value.field == ".env"


@pytest.mark.parametrize("kind", ["folder", "device", "socket", "dangling link"])
def test_what_is_neither_file_nor_pipe_is_ignored(tmp_path: Path, kind: str) -> None:
    file = tmp_path / ".env"
    if kind == "folder":
        file.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(".env")  # the whole path may be too long
    else:
        file.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    assert get_settings() == Settings(_env_file=None)
    assert setting_sources() == {}


def test_secrets_do_not_show(monkeypatch):
    monkeypatch.setenv("RE2LLM_API_KEY", "sk-hidden")
    monkeypatch.setenv("RE2LLM_DATABASE_URL", "postgresql://me:hidden@localhost/db")
    settings = get_settings()
    assert isinstance(settings.api_key, SecretStr)
    assert "hidden" not in repr(settings)
    assert "hidden" not in settings.model_dump_json()


def test_a_tilde_in_home_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RE2LLM_HOME", "~/re2llm-data")
    assert Settings().home == Path.home() / "re2llm-data"
    monkeypatch.setenv("RE2LLM_HOME", "/a/~b")
    assert Settings().home == Path("/a/~b")
    monkeypatch.setenv("RE2LLM_HOME", "~not-a-user/data")
    get_settings.cache_clear()
    with pytest.raises(InputError, match="RE2LLM_HOME"):
        get_settings()
    get_settings.cache_clear()


@pytest.mark.parametrize(
    "written",
    [
        *("$BASE/re2", "${BASE}/re2", " $BASE/re2 ", '"/base/re2"', "'$BASE/re2'", "/base/re2\r"),
        *('"/base/re2"\r\n', "\ufeff/base/re2", "~/re2", "'~/re2'", '" ~/re2"'),
    ],
)
def test_home_is_read_as_a_shell_would(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("BASE", "/base")
    monkeypatch.setenv("HOME", "/base")
    monkeypatch.setenv("RE2LLM_HOME", written)
    assert get_settings().home == Path("/base/re2")


def test_an_account_without_a_home_needs_none_beside_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(platformdirs, "user_data_dir", unknown)
    home = get_settings().home
    with pytest.raises(OSError, match="Not a directory"):
        home.mkdir(parents=True)
    cache = EmbeddingCache(home / "embeddings.sqlite", "encoder")
    assert cache.get(["text"]) == {}
    with pytest.raises(DatabaseError, match="this account has no home directory") as caught:
        start_embedded(home)
    assert caught.value.field == "RE2LLM_HOME"
    assert "Set RE2LLM_HOME to a directory" in caught.value.remedy
    monkeypatch.setenv("RE2LLM_DATABASE_URL", "postgresql://127.0.0.1:9/none")
    (shown,) = [
        value.value
        for value in asyncio.run(diagnose(Context(), ask_model=False)).settings
        if value.name == "RE2LLM_HOME"
    ]
    assert shown == "none: this account has no home directory"


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("$NOT_SET/re2", "$NOT_SET"),
        ("${NOT_SET}/re2", "${NOT_SET}"),
        ("%APPDATA%/re2", "%APPDATA%"),
        ("$$BASE/re2", "$"),
        ("$(pwd)/re2", "$(pwd)"),
        ("$EMPTY", "$EMPTY"),
        ("${EMPTY}", "${EMPTY}"),
    ],
)
def test_a_home_with_an_unknown_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, written: str, named: str
) -> None:
    monkeypatch.setenv("BASE", "/base")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("RE2LLM_HOME", written)
    with pytest.raises(InputError) as caught:
        get_settings()
    assert caught.value.field == "RE2LLM_HOME"
    assert named in caught.value.problem
    assert "Value error" not in caught.value.problem


@pytest.mark.parametrize("home", ["/a%20b/100%", "/data/c$", "/data/cash$/x", "/a 'b' c"])
def test_a_folder_may_have_any_name(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("RE2LLM_HOME", home)
    assert get_settings().home == Path(home)


@pytest.mark.parametrize(
    "name", ["cash$flow", "$name", "%name%/data", "a$(b)", "$NOT_SET/$EMPTY_TOO", "pay$$me"]
)
def test_a_folder_that_is_there_may_be_called_as_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("BASE", str(tmp_path))
    for written in (str(tmp_path / name), f"$BASE/{name}", name):
        monkeypatch.setenv("RE2LLM_HOME", written)
        get_settings.cache_clear()
        with pytest.raises(InputError, match="make it first"):
            get_settings()
    (tmp_path / name).mkdir(parents=True)
    for written in (str(tmp_path / name), f"$BASE/{name}", name):
        monkeypatch.setenv("RE2LLM_HOME", written)
        get_settings.cache_clear()
        assert get_settings().home.samefile(tmp_path / name)


@pytest.mark.parametrize("around", ["{} ", " {}", "{}\r", '"{}"', "'{}'\r\n", "\ufeff{}", "' {} '"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "openai:gpt-4.1-mini"),
        ("base_url", "http://127.0.0.1:8000/v1"),
        ("api_key", "sk-1234567890"),
        ("reflect_api_key", "sk-1234567890"),
        ("database_url", "postgresql://me@host/db"),
        ("domain", "films"),
        ("policy", "none"),
        ("explore", "true"),
        ("pool_size", "4"),
        ("prices", '{"m": [1, 2]}'),
    ],
)
def test_what_files_leave_around_a_value_is_none_of_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, around: str
) -> None:
    monkeypatch.setenv(f"RE2LLM_{name.upper()}", value)
    meant = Settings()
    monkeypatch.setenv(f"RE2LLM_{name.upper()}", around.format(value))
    assert Settings() == meant


@pytest.mark.parametrize("nothing", [" ", "''", '""\r', "\n"])
def test_a_value_of_nothing_but_what_is_around_it_is_unset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nothing: str
) -> None:
    for name in ("RE2LLM_HOME", "RE2LLM_DATABASE_URL", "RE2LLM_MODEL", "RE2LLM_POOL_SIZE"):
        monkeypatch.setenv(name, nothing)
    (tmp_path / ".env").write_text("RE2LLM_MODEL=openai:x\n")
    settings = get_settings()
    assert (settings.database_url, settings.model, settings.pool_size) == (None, "openai:x", 10)
    assert settings.home != Path()
    assert setting_sources() == {"RE2LLM_MODEL": ".env"}


@pytest.mark.parametrize(
    ("written", "said"), [("RE2LLM_SEED=x", "integer"), ("RE2LLM_PRICES={", "JSON")]
)
def test_an_error_tells_that_the_value_stands_in_a_file(
    written: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"{written}\n")
    with pytest.raises(InputError, match=rf"{said}.* \(in \.env\)\."):
        get_settings()


def test_settings_of_the_same_words_are_told_apart_where_each_is_described() -> None:
    names = [f"RE2LLM_{field.upper()}" for field in Settings.model_fields]
    alike = [
        (one, other)
        for one in names
        for other in names
        if one != other and sorted(one.split("_")) == sorted(other.split("_"))
    ]
    assert ("RE2LLM_MAX_HINTS", "RE2LLM_HINTS_MAX") in alike
    rows = (EXAMPLE.parent / "docs/settings.md").read_text().splitlines()
    paragraphs = EXAMPLE.read_text().split("\n\n")
    for one, other in alike:
        (row,) = (line for line in rows if line.startswith(f"| `{one}` |"))
        (paragraph,) = (text for text in paragraphs if f"\n# {one}=" in f"\n{text}")
        assert f"`{other}`" in row
        assert other in paragraph
