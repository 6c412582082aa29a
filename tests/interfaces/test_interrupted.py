"""A synchronous call that is interrupted, as by Ctrl-C: its work stops with it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from time import sleep
from typing import Any

import pytest
import re2llm
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from re2llm.data.sample import load_films
from re2llm.interfaces.portal import Portal
from typing_extensions import TypedDict

IDS = [film.id for film in load_films()]
WITHIN = 60


@pytest.fixture(autouse=True)
def hears_ctrl_c() -> Iterator[None]:
    """What a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


async def _nothing() -> None:
    pass


def interrupted(call: Callable[[], object], *, when: threading.Event) -> None:
    """Press Ctrl-C once during a call, when it has come so far."""

    def press() -> None:
        assert when.wait(WITHIN)
        sleep(0.2)  # what follows has begun to wait
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    presses = threading.Thread(target=press)
    presses.start()
    with pytest.raises(KeyboardInterrupt):
        call()
    presses.join()


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal(_nothing)
    yield portal
    portal.close()


def test_the_work_has_cleaned_up_before_the_call_raises(portal: Portal) -> None:
    inside, steps = threading.Event(), list[str]()

    async def work() -> None:
        try:
            inside.set()
            await asyncio.sleep(WITHIN)
            steps.append("went on")
        finally:
            for n in range(3):
                await asyncio.sleep(0.02)
                steps.append(f"cleaned {n}")

    interrupted(partial(portal.run, work), when=inside)
    assert steps == [f"cleaned {n}" for n in range(3)]
    assert portal.run(partial(asyncio.sleep, 0, "next")) == "next"


def test_work_that_has_not_begun_does_not_begin(portal: Portal) -> None:
    busy, goes_on, begun = threading.Event(), threading.Event(), list[int]()

    async def blocks() -> None:
        busy.set()
        goes_on.wait(WITHIN)

    async def work() -> None:
        begun.append(1)

    other = threading.Thread(target=partial(portal.run, blocks))
    other.start()
    assert busy.wait(WITHIN)
    threading.Timer(1.0, goes_on.set).start()
    interrupted(partial(portal.run, work), when=busy)
    other.join()
    assert not begun


def test_another_call_goes_on(portal: Portal) -> None:
    inside, goes_on, answers = threading.Event(), threading.Event(), list[str]()

    async def work() -> None:
        inside.set()
        await asyncio.sleep(WITHIN)

    async def calm() -> str:
        await asyncio.to_thread(goes_on.wait, WITHIN)
        return "answer"

    other = threading.Thread(target=lambda: answers.append(portal.run(calm)))
    other.start()
    interrupted(partial(portal.run, work), when=inside)
    goes_on.set()
    other.join()
    assert answers == ["answer"]


def test_a_failure_of_the_work_is_raised_as_it_is(portal: Portal) -> None:
    async def fails() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        portal.run(fails)


class OnALoop(BaseChatModel):
    """Answers on an event loop only."""

    @property
    def _llm_type(self) -> str:
        return "on-a-loop"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError


class Slow(OnALoop):
    """Thinks until it is stopped."""

    asked: Any
    spent: list[str]

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.spent.append("asked")
        self.asked.set()
        try:
            await asyncio.sleep(WITHIN)
        except asyncio.CancelledError:
            self.spent.append("stopped")
            raise
        return ChatResult(generations=[ChatGeneration(message=AIMessage("{}"))])


class Shop(TypedDict, total=False):
    watched: list[str]
    shelf: list[str]


def _method(host: re2llm.Re2llm) -> object:
    return host.recommend(IDS[:2], candidates=IDS[10:16])


def _learns(host: re2llm.Re2llm) -> object:
    return host.learn()


def _tool(host: re2llm.Re2llm) -> object:
    return re2llm.recommender_tool(host).invoke({"history": IDS[:2], "candidates": IDS[10:16]})


def _node(host: re2llm.Re2llm) -> object:
    builder: Any = StateGraph(Shop)
    node = re2llm.recommend_node(
        lambda state: {"history": state["watched"], "candidates": IDS[10:16]},
        lambda result: {"shelf": result["ranking"]},
        host=host,
    )
    builder.add_node("recommend", node)
    builder.add_edge(START, "recommend")
    builder.add_edge("recommend", END)
    return builder.compile().invoke({"watched": IDS[:2]})


@pytest.mark.parametrize("call", [_method, _learns, _tool, _node])
def test_nothing_is_spent_after_any_call_was_interrupted(
    films: str, call: Callable[[re2llm.Re2llm], object]
) -> None:
    model = Slow(asked=threading.Event(), spent=[])
    with re2llm.Re2llm(model=model, domain=films, policy="none") as host:
        interrupted(partial(call, host), when=model.asked)
        asked = model.spent.count("asked")
        assert model.spent.count("stopped") == asked
        host.run(partial(asyncio.sleep, 0.3))
        assert model.spent.count("asked") == asked


class Stuck(OnALoop):
    """Waits for ever in its second answer, until it is let go; the first one is not usable."""

    asked: Any
    freed: list[bool]

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        text = '{"ranking": [6, 5, 4, 3, 2, 1]}'
        if not self.freed:
            if len(messages) > 2:
                self.asked.set()
                await asyncio.sleep(WITHIN)
            text = "no idea"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


@pytest.mark.parametrize("before", ["sync", "async"])
@pytest.mark.parametrize("after", ["sync", "async"])
def test_a_run_that_was_cut_off_goes_on_with_or_without_an_event_loop(
    films: str, before: str, after: str
) -> None:
    model = Stuck(asked=threading.Event(), freed=[])
    with re2llm.Re2llm(model=model, domain=films, policy="none") as host:
        node = re2llm.recommend_node(
            lambda _: {"history": IDS[:2], "candidates": IDS[40:46]},
            lambda result: {"shelf": result["ranking"]},
            host=host,
            context=lambda _: {"fuse": "llm"},
        )
        builder: Any = StateGraph(Shop)
        builder.add_node("recommend", node)
        builder.add_edge(START, "recommend")
        builder.add_edge("recommend", END)
        graph = builder.compile(checkpointer=InMemorySaver())
        thread = {"configurable": {"thread_id": "1"}}
        if before == "sync":
            interrupted(partial(graph.invoke, {"watched": IDS[:2]}, thread), when=model.asked)
        else:
            asyncio.run(_cancelled(graph.ainvoke({"watched": IDS[:2]}, thread), model.asked))
        model.freed.append(True)
        if after == "sync":
            result = graph.invoke(None, thread)
        else:
            result = asyncio.run(graph.ainvoke(None, thread))
    assert sorted(result["shelf"]) == sorted(IDS[40:46])


async def _cancelled(work: Any, when: threading.Event) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.to_thread(when.wait, WITHIN)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
