"""Our operations as LangChain tools, for any agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from ..errors import Re2llmError
from ..nodes.rating.state import PastReview, RatingRequest
from ..operations import catalogue as operations
from ..runtime.options import Context
from ..runtime.request_limits import MOST_ITEMS, ItemId, Title, Titles
from . import descriptions
from .host import Re2llm, default_host

_Answer = tuple[str, dict[str, Any]]
Contexts = Callable[[], Context]
"""Returns the context of the present call."""


class RecommendArguments(BaseModel):
    """What to recommend for."""

    history: Annotated[
        Titles,
        Field(min_length=1, description=descriptions.HISTORY),
    ]
    candidates: Annotated[
        Titles | None,
        Field(description=descriptions.CANDIDATES),
    ] = None
    k: Annotated[int, Field(ge=1, le=100, description=descriptions.COUNT)] = 10


class FeedbackArguments(BaseModel):
    """What the person did with a recommendation."""

    recommendation_id: Annotated[ItemId, Field(description=descriptions.RECOMMENDATION)]
    picked: Annotated[
        Title | None,
        Field(description=descriptions.PICKED),
    ] = None


class TitlesArguments(BaseModel):
    """Titles to look up."""

    titles: Annotated[Titles, Field(min_length=1, description=descriptions.TYPED)]


class RatingArguments(RatingRequest):
    """Whose rating of what to predict."""

    history: list[PastReview] = Field(
        default_factory=list[PastReview],
        max_length=MOST_ITEMS,
        description=descriptions.REVIEWS,
    )


def recommender_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "recommend"
) -> BaseTool:
    """Return a tool that recommends.

    Its answer for the model is short JSON; the artifact is the whole `Recommended` as a dict.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
        domain: The catalogue; `None` takes the host's.
        name: What the agent's model calls it.
    """
    host = host or default_host()
    return _recommender(host.context, host, domain, name)


def feedback_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "feedback"
) -> BaseTool:
    """Return a tool that stores what a person picked.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
        domain: The recommendations' catalogue; `None` takes the host's.
        name: What the agent's model calls it.
    """
    host = host or default_host()
    return _feedback(host.context, host, domain, name)


def titles_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "find_titles"
) -> BaseTool:
    """Return a tool that finds the items that a person mentions.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
        domain: The catalogue; `None` takes the host's.
        name: What the agent's model calls it.
    """
    host = host or default_host()
    return _titles(host.context, host, domain, name)


def rating_tool(host: Re2llm | None = None, *, name: str = "rate") -> BaseTool:
    """Return a tool that predicts how a person will rate an item.

    Args:
        host: Whose models to use; `None` takes those of the settings.
        name: What the agent's model calls it.
    """
    host = host or default_host()
    return _rater(host.context, host, name)


def chat_tools(contexts: Contexts, host: Re2llm) -> list[BaseTool]:
    """Return the tools of the chat graph.

    Args:
        contexts: Returns the context of the present run.
        host: Whose thread serves synchronous callers.
    """
    makers = (_titles, _recommender, _feedback, _rater)
    return [make(contexts, host) for make in makers]


def _recommender(
    contexts: Contexts, host: Re2llm, domain: str | None = None, name: str = "recommend"
) -> BaseTool:
    async def work(**given: Any) -> _Answer:
        made = await operations.recommend(contexts(), domain=domain, **given)
        shown = {"recommendation_id", "history", "items", "flags"}
        return made.model_dump_json(include=shown), made.model_dump()

    return _tool(name, descriptions.RECOMMEND, RecommendArguments, work, host)


def _feedback(
    contexts: Contexts, host: Re2llm, domain: str | None = None, name: str = "feedback"
) -> BaseTool:
    async def work(recommendation_id: str, picked: str | None = None) -> _Answer:
        stored = await operations.give_feedback(
            contexts(), recommendation_id, operations.picked_or_none(picked), domain=domain
        )
        return stored.model_dump_json(), stored.model_dump()

    return _tool(name, descriptions.FEEDBACK, FeedbackArguments, work, host)


def _titles(
    contexts: Contexts, host: Re2llm, domain: str | None = None, name: str = "find_titles"
) -> BaseTool:
    async def work(titles: list[str]) -> _Answer:
        found = await operations.find_titles(contexts(), titles, domain=domain)
        return found.model_dump_json(), found.model_dump()

    return _tool(name, descriptions.TITLES, TitlesArguments, work, host)


def _rater(contexts: Contexts, host: Re2llm, name: str = "rate") -> BaseTool:
    async def work(**given: Any) -> _Answer:
        request = RatingRequest(**given).model_dump(exclude_unset=True)
        rated = await operations.rate(contexts(), request)
        return rated.model_dump_json(), rated.model_dump()

    return _tool(name, descriptions.RATE, RatingArguments, work, host)


def _tool(
    name: str,
    description: str,
    arguments: type[BaseModel],
    work: Callable[..., Awaitable[_Answer]],
    host: Re2llm,
) -> BaseTool:
    async def answer(**given: Any) -> _Answer:
        try:
            return await work(**given)
        except Re2llmError as error:
            # What is wrong and what to do about it, so that the agent's model can mend its call.
            raise ToolException(str(error)) from error

    def wait(**given: Any) -> _Answer:
        return host.run(partial(answer, **given))

    return StructuredTool.from_function(
        func=wait,
        coroutine=answer,
        name=name,
        description=description,
        args_schema=arguments,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )
