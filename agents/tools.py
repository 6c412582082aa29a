"""Our operations as LangChain tools, for any agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from ..errors import Re2llmError
from ..nodes.context import Context
from . import descriptions, operations
from .host import Re2llm, default_host

_Answer = tuple[str, dict[str, Any]]
_Run = Callable[..., Awaitable[BaseModel]]


class RecommendArguments(BaseModel):
    """What to recommend for."""

    history: Annotated[
        list[str],
        Field(min_length=1, description=descriptions.HISTORY),
    ]
    candidates: Annotated[
        list[str] | None,
        Field(description=descriptions.CANDIDATES),
    ] = None
    k: Annotated[int, Field(ge=1, le=100, description=descriptions.COUNT)] = 10


class FeedbackArguments(BaseModel):
    """What the person did with a recommendation."""

    recommendation_id: Annotated[str, Field(description=descriptions.RECOMMENDATION)]
    picked: Annotated[
        str | None,
        Field(description=descriptions.PICKED),
    ] = None


class TitlesArguments(BaseModel):
    """Titles to look up."""

    titles: Annotated[list[str], Field(min_length=1, description=descriptions.TYPED)]


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
    return _tool(
        name,
        descriptions.RECOMMEND,
        RecommendArguments,
        partial(_recommend, _contexts(host), domain),
        host,
    )


def feedback_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "feedback"
) -> BaseTool:
    """Return a tool that stores what a person picked.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
        domain: The recommendations' catalogue; `None` takes the host's.
        name: What the agent's model calls it.
    """
    return _tool(
        name,
        descriptions.FEEDBACK,
        FeedbackArguments,
        partial(_feedback, _contexts(host), domain),
        host,
    )


def titles_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "find_titles"
) -> BaseTool:
    """Return a tool that finds the items that a person mentions.

    Args:
        host: Whose database and models to use; `None` takes those of the settings.
        domain: The catalogue; `None` takes the host's.
        name: What the agent's model calls it.
    """
    return _tool(
        name,
        descriptions.TITLES,
        TitlesArguments,
        partial(_titles, _contexts(host), domain),
        host,
    )


Contexts = Callable[[], Context]
"""Returns the context of the present call."""


def _contexts(host: Re2llm | None) -> Contexts:
    return (host or default_host()).context


async def _recommend(contexts: Contexts, domain: str | None, **arguments: Any) -> _Answer:
    made = await operations.recommend(contexts(), domain=domain, **arguments)
    short = made.model_dump_json(include={"recommendation_id", "history", "items", "flags"})
    return short, made.model_dump()


async def _feedback(
    contexts: Contexts, domain: str | None, *, recommendation_id: str, picked: str | None
) -> _Answer:
    chosen = operations.picked_or_none(picked)
    stored = await operations.give_feedback(contexts(), recommendation_id, chosen, domain=domain)
    return stored.model_dump_json(), stored.model_dump()


async def _titles(contexts: Contexts, domain: str | None, *, titles: list[str]) -> _Answer:
    found = await operations.find_titles(contexts(), titles, domain=domain)
    return found.model_dump_json(), found.model_dump()


def _tool(
    name: str,
    description: str,
    arguments: type[BaseModel],
    work: Callable[..., Awaitable[_Answer]],
    host: Re2llm | None,
) -> BaseTool:
    async def answer(**given: Any) -> _Answer:
        try:
            return await work(**given)
        except Re2llmError as error:
            # What is wrong and what to do about it, so that the agent's model can mend its call.
            raise ToolException(str(error)) from error

    def wait(**given: Any) -> _Answer:
        return (host or default_host()).run(partial(answer, **given))

    return StructuredTool.from_function(
        func=wait,
        coroutine=answer,
        name=name,
        description=description,
        args_schema=arguments,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )
