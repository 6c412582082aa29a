"""Proxies and certificates of the environment are told by their variables where they fail."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import certifi
import httpx
import openai
import pytest
from pydantic import SecretStr
from re2llm.errors import Failure, InputError
from re2llm.llm.client.factory import make_chat_model
from re2llm.llm.errors.failures import read_failure
from re2llm.llm.errors.network_settings import network_fault
from re2llm.settings import Settings

GONE = "NO_PROXY names hosts to ask directly"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


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
    assert told.endswith(f"The request may have gone through the proxy in HTTP_PROXY; {GONE}")
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


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, httpx.RequestError)
    ],
)
def test_an_error_without_a_request_is_read(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    failed = read_failure(kind("slow"))
    if issubclass(kind, httpx.TimeoutException):
        assert failed.failure is Failure.TIMEOUT
    elif issubclass(kind, httpx.TransportError):
        assert failed.failure is Failure.CONNECTION
    assert "ALL_PROXY" not in failed.said


@pytest.mark.parametrize("status", [None, 503])
async def test_the_proxy_of_openai_stands_before_all_hosts(
    monkeypatch: pytest.MonkeyPatch, closed: str, status: int | None
) -> None:
    monkeypatch.setenv("OPENAI_PROXY", f"http://me:w0rd@{closed}")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    if status:
        request = httpx.Request("POST", "http://127.0.0.1:9/v1/chat/completions")
        response = httpx.Response(status, request=request)
        error = openai.APIStatusError("Denied", response=response, body="Denied")
        said = read_failure(error).said
    else:
        model = make_chat_model(settings("http://127.0.0.1:9/v1"), "openai:m")
        with pytest.raises(openai.APIConnectionError) as caught:
            await model.ainvoke("Hello")
        said = read_failure(caught.value).said
    told = "The request may have gone through the proxy in OPENAI_PROXY, whatever NO_PROXY says"
    assert said.endswith(told)
    other = httpx.ConnectError("refused", request=httpx.Request("POST", "http://127.0.0.1:9"))
    assert "PROXY" not in read_failure(other).said  # its package does not know that proxy


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Unsupported provider='litellm_proxy'"),
        httpx.InvalidURL("Invalid IDNA hostname: 'xn--'"),
        httpx.InvalidURL("URL too long"),
        ImportError("the 'socksio' package is not installed"),
        FileNotFoundError(2, "No such file or directory", "/keys/google.json"),
    ],
)
def test_what_is_right_in_the_environment_is_not_blamed(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in ("HTTPS_PROXY", "all_proxy", "OPENAI_PROXY"):
        monkeypatch.setenv(name, "http://me:word@proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "proxy:3128")
    monkeypatch.setenv("TRAVIS_APT_PROXY", "socks5://proxy:port")
    monkeypatch.setenv("NO_PROXY", "local:host:name")
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setenv("SSL_CERT_DIR", "/not/there")  # which a file goes before
    assert network_fault(error) is None


def test_only_what_is_wrong_in_the_environment_is_blamed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def blamed(error: Exception) -> str:
        problem, remedy = network_fault(error) or ("", "")
        return problem + remedy

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("OPENAI_PROXY", "proxy:3128")  # which LangChain takes as it is
    told = blamed(httpx.InvalidURL("Invalid port"))
    assert "OPENAI_PROXY" in told
    assert "HTTPS_PROXY" not in told
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")
    told = blamed(ImportError("the 'socksio' package is not installed"))
    assert "unset ALL_PROXY." in told
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert not blamed(FileNotFoundError("google.json"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    assert "SSL_CERT_DIR" in blamed(FileNotFoundError("none"))
    empty = tmp_path / "empty.pem"
    empty.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    assert "SSL_CERT_FILE" in blamed(ssl.SSLError("no certificate or crl found"))


@pytest.mark.parametrize("key", ["pass!", "abc12=", "!x.y", "word", "sk-1234567890"])
def test_a_key_is_hidden_wherever_a_reason_holds_it(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError(f"Unsupported key {key}, sk{key} and {key}s")

    monkeypatch.setattr("re2llm.llm.client.factory.init_chat_model", refuse)
    with pytest.raises(InputError) as caught:
        make_chat_model(settings("http://127.0.0.1:9/v1", key), "wrong:m")
    assert key not in str(caught.value)


def test_a_key_of_a_letter_hides_no_letters_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(key: str) -> str:
        with pytest.raises(InputError) as caught:
            make_chat_model(settings("http://127.0.0.1:9/v1", key), "wrong:m")
        return str(caught.value)

    assert told("o").replace(" ", "") == told("sk-1234567890").replace(" ", "")
