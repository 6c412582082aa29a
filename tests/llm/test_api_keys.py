"""A key or an address that cannot be used is found before anything is sent."""

from typing import Any

import pytest
from pydantic import SecretStr
from re2llm.errors import InputError
from re2llm.llm.client.api_keys import api_key_of
from re2llm.llm.client.factory import make_chat_model, model_server
from re2llm.settings import Settings

KEY = "sk-secret-1234567890"
MODEL = "openai:some-model"


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, base_url="http://127.0.0.1:1/v1", **values)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    "written",
    [
        f"{KEY}\n",
        f"{KEY}\r\n",
        f"  {KEY}\t",
        f'"{KEY}"',
        f"'{KEY}'\n",
        f"\ufeff{KEY}",
        f"{KEY}\u200b",
        f" ' {KEY} ' ",
        f"\u201c{KEY}\u201d",
        f"{KEY}\0",
        KEY,
    ],
)
def test_what_surrounds_a_key_is_left_out(written: str) -> None:
    found = api_key_of(settings(api_key=SecretStr(written)), MODEL)
    assert found is not None
    assert found.get_secret_value() == KEY
    model: Any = make_chat_model(settings(api_key=SecretStr(written), model=MODEL))
    assert model.openai_api_key.get_secret_value() == KEY


@pytest.mark.parametrize(
    "written",
    [
        "sk-secret 1234567890",
        "sk-secret\n1234567890",
        "sk-secret\u20261234567890",
        "sk\u2013secret-1234567890",
        "sk-secret-\u0430\u0431\u0432",
        "sk-secret-12345\x0767890",
        "Bearer sk-secret-1234567890",
        "OPENAI_API_KEY= sk-secret-1234567890",
        "\n",
        " '' ",
        "sk-secret-1234567890" * 1_000,
    ],
)
@pytest.mark.parametrize(("setting", "reflects"), [("api_key", False), ("reflect_api_key", True)])
def test_a_key_that_no_header_can_hold_is_refused(
    written: str, setting: str, reflects: bool
) -> None:
    given = settings(**{setting: SecretStr(written)}, model=MODEL)
    with pytest.raises(InputError) as caught:
        make_chat_model(given, MODEL, reflects=reflects)
    assert caught.value.field == f"RE2LLM_{setting.upper()}"
    assert caught.value.remedy
    assert "secret" not in str(caught.value)


def test_the_providers_own_variable_is_cleaned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    found = api_key_of(settings(), MODEL)
    assert found is not None
    assert found.get_secret_value() == KEY
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        make_chat_model(settings(model=MODEL))
    assert api_key_of(settings(), "anthropic:some-model") is None


SERVER = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    "written",
    [
        *(SERVER, f"{SERVER}/", f"{SERVER}\n", f" '{SERVER}' ", f"\ufeff\u201c{SERVER}\u201d"),
        *(f"{SERVER}/{end}" for end in ("chat/completions", "chat/completions/", "models")),
    ],
)
def test_an_address_is_read_with_what_is_written_around_it(written: str) -> None:
    given: Any = {"base_url": written, "reflect_base_url": written}
    read = Settings(_env_file=None, model=MODEL, api_key=SecretStr(KEY), **given)  # pyright: ignore[reportCallIssue]
    assert model_server(read) == model_server(read, reflects=True) == SERVER
    model: Any = make_chat_model(read)
    assert model.openai_api_base == SERVER


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("127.0.0.1:8000/v1", "begin with http"),
        ("http//127.0.0.1:8000/v1", "begin with http"),
        ("ws://127.0.0.1:8000/v1", "begin with http"),
        (f"http://me:{KEY}@127.0.0.1:8000/v1", "user or password"),
        (f"{SERVER}?key={KEY}", "behind a ?"),
        ("http://127.0.0.1:port/v1", "cannot be read"),
        ("http://127.0.0.1:99999/v1", "cannot be read"),
        ("http://[::1/v1", "cannot be read"),
        ("http:///v1", "cannot be read"),
        (f"{SERVER} {SERVER}", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(written: str, problem: str) -> None:
    read = Settings(_env_file=None, model=MODEL, api_key=SecretStr(KEY), base_url=written)  # pyright: ignore[reportCallIssue]
    with pytest.raises(InputError) as caught:
        make_chat_model(read)
    assert caught.value.field == "RE2LLM_BASE_URL"
    assert problem in caught.value.problem
    assert "http://host:port/v1" in caught.value.remedy
    assert KEY not in str(caught.value)
