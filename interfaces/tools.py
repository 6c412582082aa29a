"""Our operations as LangChain tools, for any agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field, ValidationError, model_validator

from ..errors import InputError, Re2llmError
from ..llm.prompt_data import inert, inert_json
from ..operations.catalogue.titles import find_titles
from ..operations.rating.rate import rate
from ..operations.recommending.feedback import give_feedback
from ..operations.recommending.recommend import recommend
from ..rating.request import PastReview, RatingRequest, refuse_unknown_parts
from ..runtime.context import Context
from ..runtime.request_limits import MOST_ITEMS, input_error
from . import descriptions
from .arguments import (
    DEFAULT_COUNT,
    Candidates,
    Count,
    History,
    Picked,
    RecommendationId,
    Titles,
    without_unknown,
)
from .host import Re2llm, default_host

_Answer = tuple[str, dict[str, Any]]
Contexts = Callable[[], Context]
"""Returns the context of the current call."""


class _Arguments(BaseModel):
    """Of a tool; what a call says by other names is refused."""

    @model_validator(mode="before")
    @classmethod
    def _named_right(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        arguments = cast("dict[str, Any]", given)
        try:
            if issubclass(cls, RatingRequest):
                refuse_unknown_parts(arguments)
            return without_unknown(arguments, cls.model_fields)
        except InputError as error:
            raise ToolException(inert(str(error))) from error


class RecommendArguments(_Arguments):
    """What to recommend for."""

    history: History
    candidates: Candidates = None
    k: Count = DEFAULT_COUNT


class FeedbackArguments(_Arguments):
    """What the person did with a recommendation."""

    recommendation_id: RecommendationId
    picked: Picked


class TitlesArguments(_Arguments):
    """Titles to look up."""

    titles: Titles


class RatingArguments(_Arguments, RatingRequest):
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
        host: Its database and models are used; `None` takes those of the settings.
        domain: Its name; `None` takes the host's.
        name: The name under which the agent's model knows it.
    """
    host = host or default_host()
    return _recommender(host.context, host, domain, name)


def feedback_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "feedback"
) -> BaseTool:
    """Return a tool that stores what a person picked.

    Args:
        host: Its database and models are used; `None` takes those of the settings.
        domain: The recommendation's domain; `None` takes the host's.
        name: The name under which the agent's model knows it.
    """
    host = host or default_host()
    return _feedback(host.context, host, domain, name)


def titles_tool(
    host: Re2llm | None = None, *, domain: str | None = None, name: str = "find_titles"
) -> BaseTool:
    """Return a tool that finds the items that a person mentions.

    Args:
        host: Its database and models are used; `None` takes those of the settings.
        domain: Its name; `None` takes the host's.
        name: The name under which the agent's model knows it.
    """
    host = host or default_host()
    return _titles(host.context, host, domain, name)


def rating_tool(host: Re2llm | None = None, *, name: str = "rate") -> BaseTool:
    """Return a tool that predicts how a person will rate an item.

    Args:
        host: Its models are used; `None` takes those of the settings.
        name: The name under which the agent's model knows it.
    """
    host = host or default_host()
    return _rater(host.context, host, name)


def chat_tools(contexts: Contexts, host: Re2llm) -> list[BaseTool]:
    """Return the tools of the chat graph.

    Args:
        contexts: Returns the context of the current run.
        host: Its thread serves synchronous callers.
    """
    makers = (_titles, _recommender, _feedback, _rater)
    return [make(contexts, host) for make in makers]


def _recommender(
    contexts: Contexts, host: Re2llm, domain: str | None = None, name: str = "recommend"
) -> BaseTool:
    async def work(**given: Any) -> _Answer:
        made = await recommend(contexts(), domain=domain, **given)
        shown = {"recommendation_id", "history", "items", "flags"}
        return made.model_dump_json(include=shown), made.model_dump()

    return _tool(name, descriptions.RECOMMEND, RecommendArguments, work, host)


def _feedback(
    contexts: Contexts, host: Re2llm, domain: str | None = None, name: str = "feedback"
) -> BaseTool:
    async def work(recommendation_id: str, picked: str | None) -> _Answer:
        stored = await give_feedback(contexts(), recommendation_id, picked, domain=domain)
        return stored.model_dump_json(), stored.model_dump()

    return _tool(name, descriptions.FEEDBACK, FeedbackArguments, work, host)


def _titles(
    contexts: Contexts, host: Re2llm, domain: str | None = None, name: str = "find_titles"
) -> BaseTool:
    async def work(titles: list[str]) -> _Answer:
        found = await find_titles(contexts(), titles, domain=domain)
        return found.model_dump_json(), found.model_dump()

    return _tool(name, descriptions.TITLES, TitlesArguments, work, host)


def _rater(contexts: Contexts, host: Re2llm, name: str = "rate") -> BaseTool:
    async def work(**given: Any) -> _Answer:
        request = RatingRequest(**given).model_dump(exclude_unset=True)
        rated = await rate(contexts(), request)
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
            content, artifact = await work(**given)
        except Re2llmError as error:
            # What is wrong and what to do about it, so that the agent's model can correct its call.
            raise ToolException(inert(str(error))) from error
        return inert_json(content), artifact

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
        handle_validation_error=_misfit,
    )


def _misfit(error: Any) -> str:
    """Say which argument does not fit; our tools have none of pydantic 1, which LangChain knows."""
    return inert(str(input_error(cast("ValidationError", error))))
