"""Our `recommend` graph as a node in another graph, with its own state and context."""

# LangGraph leaves type arguments of its own open in `add_node` and `compile`.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime, get_runtime

from ..errors import InputError, Re2llmError
from ..graph.recommend import graph as recommend_graph
from ..ranking.state import RecommendResult, RecommendState
from ..runtime.context import Context
from ..runtime.node import unanswered
from .host import Re2llm, default_host

Request = Mapping[str, Any]
"""Input of the `recommend` graph: `history`, and optionally `candidates`, `domain`, `k`."""
_OPTIONS = frozenset(field.name for field in fields(Context)) - {"services"}


def recommend_node(
    read: Callable[[Any], Request],
    write: Callable[[RecommendResult], Mapping[str, Any]],
    *,
    host: Re2llm | None = None,
    context: Callable[[Any], Mapping[str, Any]] = lambda _: {},
) -> Runnable[Any, Any]:
    """Return a node that runs the `recommend` graph as a subgraph of any other graph.

    A request that cannot be answered comes back as `error` in the result; it never raises.

    Example:
        builder.add_node("recommend", recommend_node(
            read=lambda state: {"history": state["watched"], "k": 3},
            write=lambda result: {"shelf": [item["title"] for item in result["items"]]},
            context=lambda theirs: {"domain": theirs.shop},
        ))

    Args:
        read: Makes the request from the other graph's state.
        write: Makes an update of the other graph's state from the answer.
        host: Its database and models are used; `None` takes those of the settings.
        context: Makes options of our `Context` from the other graph's context object.
    """

    async def answer(state: Any) -> Mapping[str, Any]:
        work = partial(recommend, *asked(state))
        result: Any
        try:
            result = await _whole(work)
        except Re2llmError as error:
            result = unanswered(RecommendResult, error)
        return write(cast("RecommendResult", result))

    def wait(state: Any) -> Mapping[str, Any]:
        # `read` and `write` here, on the run's own thread: in its context, they may interrupt it.
        # As a graph, the work is found in the checkpoint then, and not done again.
        work = partial(recommend, *asked(state))
        result: Any = waiting.invoke({"error": None}, context=work)
        if not _is_whole(result):
            result = outright(work)
        return write(cast("RecommendResult", result))

    def on_own_thread(_: Any, runtime: Runtime[Any]) -> Mapping[str, Any]:
        return outright(runtime.context)

    def outright(work: Callable[[], Coroutine[Any, Any, RecommendResult]]) -> Mapping[str, Any]:
        try:
            return _owner(host).run(work)
        except Re2llmError as error:
            return unanswered(RecommendResult, error)

    async def recommend(request: Any, given: Mapping[str, Any]) -> RecommendResult:
        _check_options(given)
        result: Any = await recommend_graph.ainvoke(request, context=_owner(host).context(**given))
        return cast("RecommendResult", result)

    def asked(state: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return dict(read(state)), dict(context(get_runtime().context))

    waiting = _of_one_node(on_own_thread)
    return RunnableLambda(wait, afunc=answer, name="recommend")


def _owner(host: Re2llm | None) -> Re2llm:
    return host or default_host()


def _check_options(given: Mapping[str, Any]) -> None:
    if unknown := sorted(map(str, given.keys() - _OPTIONS)):
        raise InputError(
            "context",
            f"{unknown[0]!r} is not an option of a run.",
            f"Choose from {', '.join(sorted(_OPTIONS))}.",
        )


def _of_one_node(work: Callable[..., Mapping[str, Any]]) -> Any:
    # The same state, so that a run that began without an event loop may end on one, but no node of
    # the same name, where that would go on in the middle.
    builder: Any = StateGraph(RecommendState, output_schema=RecommendResult)
    builder.add_node("wait", work)
    builder.add_edge(START, "wait")
    builder.add_edge("wait", END)
    return builder.compile(name="recommend")


async def _whole(work: Callable[[], Coroutine[Any, Any, RecommendResult]]) -> RecommendResult:
    result = await work()
    if _is_whole(result):
        return result
    # In a context of its own, the graph has no checkpoint to go on from.
    return await asyncio.create_task(work(), context=contextvars.Context())


def _is_whole(result: Mapping[str, Any]) -> bool:
    """Return whether a graph has come to its end.

    It does nothing if it finds a checkpoint that only the other one can go on from: a run was cut
    off on an event loop, and goes on without one, or the other way round.
    """
    return bool(result.get("error") or result.get("ranking"))
