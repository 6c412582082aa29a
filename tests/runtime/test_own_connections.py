"""No connection of a program's own model is used in another event loop than the program's."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from kept_alive import KeptAlive, kept_alive
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from openai import DefaultAsyncHttpxClient
from pydantic import SecretStr
from re2llm.llm.client.own_connections import with_own_connections
from re2llm.runtime.chat_models import ChatModels
from re2llm.runtime.services import Services
from re2llm.settings import Settings

KEY = "sk-secret-1234567890"
FIXED: dict[str, Any] = {"api_key": SecretStr(KEY), "max_retries": 0, "temperature": 0}


def plain(url: str) -> BaseChatModel:
    return ChatOpenAI(model="m", base_url=url, **FIXED)


def azure(url: str) -> BaseChatModel:
    return AzureChatOpenAI(
        azure_endpoint=url, azure_deployment="m", api_version="2024-10-21", **FIXED
    )


def proxied(url: str) -> BaseChatModel:
    return ChatOpenAI(model="m", base_url="http://m.invalid/v1", openai_proxy=url, **FIXED)


async def nothing() -> None:
    pass


async def ask(services: Services, model: BaseChatModel, times: int = 2) -> None:
    """Ask as one of a host's event loops does, from its opening to its end."""
    models = ChatModels(lambda: services.settings, services.engine)
    models.register("own", model)
    endpoint = await models.endpoint("own")
    for _ in range(times):
        await endpoint.relay(
            lambda asked: asked.ainvoke("Hello"),
            within=20,
            on_attempt=nothing,
            on_lost=lambda: None,
            may_repeat=lambda: False,
        )
    await models.close()


@pytest.mark.parametrize("make", [plain, azure, proxied])
async def test_a_program_and_its_host_may_ask_the_same_model(
    services: Services, make: Callable[[str], BaseChatModel]
) -> None:
    with kept_alive() as server:
        model = make(server.url)
        for _ in range(2):
            await model.ainvoke("Hello")
            await asyncio.to_thread(asyncio.run, ask(services, model))
        await model.ainvoke("Hello")
        assert len(server.asked) == 7
        assert len(set(server.asked)) == 1  # the same path and key, whoever asks
        assert KEY in server.asked[0][1]


async def test_the_loops_of_a_program_that_have_ended_leave_nothing_to_a_host(
    services: Services,
) -> None:
    with kept_alive() as server:
        model = plain(server.url)
        await asyncio.to_thread(asyncio.run, model.ainvoke("Hello"))
        for _ in range(2):
            # An equal model, made for each host, takes LangChain's pool of the process.
            await asyncio.to_thread(asyncio.run, ask(services, plain(server.url)))
        assert len(server.asked) == 5


@pytest.mark.parametrize("given", [True, False])
async def test_connections_are_closed_with_the_host(services: Services, given: bool) -> None:
    with kept_alive() as server:
        settings = Settings(base_url=server.url, api_key=SecretStr(KEY))
        models = ChatModels(lambda: settings, services.engine)
        name = "openai:m"
        if given:
            models.register(name, plain(server.url))
        await (await models.endpoint(name)).model.ainvoke("Hello")
        assert server.open
        await models.close()
        assert await asyncio.to_thread(server.closes)


def of_own_client(server: KeptAlive) -> BaseChatModel:
    return ChatOpenAI(
        model="m", base_url=server.url, http_async_client=DefaultAsyncHttpxClient(), **FIXED
    )


async def test_a_client_that_a_program_gives_is_used_and_left_open(services: Services) -> None:
    with kept_alive() as server:
        model: Any = of_own_client(server)
        assert with_own_connections(model) is model
        await ask(services, model)
        assert not model.http_async_client.is_closed
        await model.ainvoke("Hello")
        await model.http_async_client.aclose()


def test_a_model_of_another_protocol_stays_as_it_is() -> None:
    model = FakeListChatModel(responses=["Heat"])
    assert with_own_connections(model) is model
