"""Our `recommend` graph as a node in another graph, with its own state and context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.runtime import get_runtime

from ..graph.recommend import graph as recommend_graph
from ..ranking.state import RecommendResult
from ..runtime.context import Context
from .host import Re2llm, default_host

Request = Mapping[str, Any]
"""Input of the `recommend` graph: `history`, and optionally `candidates`, `domain`, `k`."""


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
        return write(await work(dict(read(state)), options()))

    def wait(state: Any) -> Mapping[str, Any]:
        # `read` and `write` here, on the run's own thread: in its context, they may interrupt it.
        return write(owner().run(partial(work, dict(read(state)), options())))

    async def work(request: Any, ours: Context) -> RecommendResult:
        # LangGraph leaves a type argument of `Command` open.
        result: Any = await recommend_graph.ainvoke(request, context=ours)  # pyright: ignore[reportUnknownMemberType]
        return cast("RecommendResult", result)

    def options() -> Context:
        return owner().context(**context(get_runtime().context))

    def owner() -> Re2llm:
        return host or default_host()

    return RunnableLambda(wait, afunc=answer, name="recommend")
