"""Recommends, and teaches a chat LLM to do it better without fine-tuning.

`import re2llm` is quick: what a name stands for is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .aliases import install as _install_aliases

if TYPE_CHECKING:
    from .errors import Re2llmError
    from .graph.learn import build_graph as build_learn_graph
    from .graph.rate import build_graph as build_rate_graph
    from .graph.recommend import build_graph as build_recommend_graph
    from .interfaces.chat import build_graph as build_chat_graph
    from .interfaces.host import Re2llm
    from .interfaces.subgraph import recommend_node
    from .interfaces.tools import feedback_tool, rating_tool, recommender_tool, titles_tool
    from .ranking.exposures import observe_exposures
    from .rating.request import RatingRequest
    from .runtime.context import Context

__all__ = [
    "Context",
    "RatingRequest",
    "Re2llm",
    "Re2llmError",
    "build_chat_graph",
    "build_learn_graph",
    "build_rate_graph",
    "build_recommend_graph",
    "feedback_tool",
    "observe_exposures",
    "rating_tool",
    "recommend_node",
    "recommender_tool",
    "titles_tool",
]

_HOMES = {
    "Context": "runtime.context:Context",
    "RatingRequest": "rating.request:RatingRequest",
    "Re2llm": "interfaces.host:Re2llm",
    "Re2llmError": "errors:Re2llmError",
    "build_chat_graph": "interfaces.chat:build_graph",
    "build_learn_graph": "graph.learn:build_graph",
    "build_rate_graph": "graph.rate:build_graph",
    "build_recommend_graph": "graph.recommend:build_graph",
    "feedback_tool": "interfaces.tools:feedback_tool",
    "observe_exposures": "ranking.exposures:observe_exposures",
    "rating_tool": "interfaces.tools:rating_tool",
    "recommend_node": "interfaces.subgraph:recommend_node",
    "recommender_tool": "interfaces.tools:recommender_tool",
    "titles_tool": "interfaces.tools:titles_tool",
}

_install_aliases()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name].split(":")
    return getattr(import_module(f".{module}", __name__), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
