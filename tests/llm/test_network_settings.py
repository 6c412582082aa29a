"""Proxies and certificates of the environment are told by their variables where they fail."""

from __future__ import annotations

import os
import socket

import httpx
import openai
import pytest
from pydantic import SecretStr
from re2llm.errors import InputError
from re2llm.llm.client.factory import make_chat_model
from re2llm.llm.errors.failures import read_failure
from re2llm.settings import Settings

GONE = "NO_PROXY names hosts to ask directly"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def closed() -> str:
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{held.getsockname()[1]}"


def settings(server: str, key: str = "sk-1234567890") -> Settings:
    return Settings(base_url=server, api_key=SecretStr(key))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "Install the package socksio"),
        ("HTTPS_PROXY", "socks5h://127.0.0.1:1080", "Install the package socksio"),
        ("HTTP_PROXY", "http://me:ss/w0rd@proxy:3128", "Write it as http://user:password@host"),
        ("HTTP_PROXY", "socks4://me:w0rd@proxy:3128", "Write it as http://user:password@host"),
        ("HTTP_PROXY", "http://me:w0rd@proxy:port", "Write it as http://user:password@host"),
        ("SSL_CERT_FILE", "/not/there/w0rd.pem", "Correct SSL_CERT_FILE, or unset it."),
    ],
)
def test_what_keeps_a_client_from_being_made_is_named_without_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=told) as caught:
        make_chat_model(settings("http://127.0.0.1:9/v1"), "openai:m")
    said = str(caught.value)
    assert name in said
    assert "w0rd" not in said
    assert "ss/" not in said


async def test_a_server_behind_a_proxy_that_is_gone_is_told_with_it(
    monkeypatch: pytest.MonkeyPatch, closed: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def said(server: str) -> str:
        model = make_chat_model(settings(server), "openai:m")
        with pytest.raises(openai.APIConnectionError) as caught:
            await model.ainvoke("Hello")
        return read_failure(caught.value).said

    assert GONE not in await said(f"http://{closed}/v1")
    monkeypatch.setenv("http_proxy", f"http://me:w0rd@{closed}")
    told = await said("http://127.0.0.1:9/v1")
    assert told.endswith(f"The request went through the proxy in HTTP_PROXY; {GONE}")
    assert "w0rd" not in told
    assert "proxy" not in caplog.text  # LangChain says that it would be passed over
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert GONE not in await said("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("server", "status", "told"),
    [
        ("http://localhost:11434/v1", 503, True),
        ("http://localhost:11434/v1", 403, True),
        ("http://localhost:11434/v1", 400, False),
        ("https://api.example/v1", 503, False),  # the proxy passes on what the server says
        ("http://direct:11434/v1", 503, False),
    ],
)
def test_what_a_proxy_may_have_answered_is_told_with_it(
    monkeypatch: pytest.MonkeyPatch, server: str, status: int, told: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "direct")
    request = httpx.Request("POST", f"{server}/chat/completions")
    response = httpx.Response(status, text="<html>Denied</html>", request=request)
    error = openai.APIStatusError("Denied", response=response, body="Denied")
    assert ("the proxy in ALL_PROXY" in read_failure(error).said) is told


def test_a_key_of_a_letter_hides_no_letters_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(key: str) -> str:
        with pytest.raises(InputError) as caught:
            make_chat_model(settings("http://127.0.0.1:9/v1", key), "wrong:m")
        return str(caught.value)

    assert told("o").replace(" ", "") == told("sk-1234567890").replace(" ", "")
