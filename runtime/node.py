"""What makes a node of a function: it fills the run's options, and it never raises."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast, get_origin, get_type_hints

from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from ..errors import IN_THE_LOG, InputError, InternalError, Re2llmError
from ..knowledge.engine import unreachable
from .context import Context
from .options import RunOptions, resolve
from .request_limits import input_error

_EDITED = "Edit the thread's state again, or start a new thread."
_log = logging.getLogger(__name__)

Update = dict[str, Any]
"""What a node returns: the keys of the state that it sets, as JSON primitives."""

_State = TypeVar("_State")
_State_contra = TypeVar("_State_contra", contravariant=True)


class Node(Protocol[_State_contra]):
    """A node as LangGraph calls it."""

    def __call__(self, state: _State_contra, runtime: Runtime[Context]) -> Awaitable[Update]:
        """Return the keys of the state that change, or `error`."""
        ...


def first_node(
    answer: type,
) -> Callable[[Callable[[_State, RunOptions], Awaitable[Update]]], Node[_State]]:
    """Make a node that takes back the answer of the thread's last run before it begins.

    Args:
        answer: The graph's output, a `TypedDict`. Its `domain` stays: a request may have it, too.
    """
    return lambda work: node(work, _no_answer(answer))


def unanswered(answer: type, error: Re2llmError) -> Update:
    """Return what a graph answers to a request that cannot be answered.

    Args:
        answer: The graph's output, a `TypedDict`.
    """
    return {"domain": None, **_no_answer(answer), **_failed(error, None)}


def _no_answer(answer: type) -> Update:
    kinds = get_type_hints(answer)
    return {key: _nothing(kinds[key]) for key in kinds.keys() - {"error", "domain"}}


def _nothing(kind: object) -> Any:
    """Return the empty list or map of a key, which a host's reducer can add; else `None`."""
    empty: dict[Any, Any] = {list: [], dict: {}}
    return empty.get(get_origin(kind))


def node(
    work: Callable[[_State, RunOptions], Awaitable[Update]],
    before: Mapping[str, Any] = MappingProxyType({}),
) -> Node[_State]:
    """Make a node of a function over state and options.

    Every failure becomes the state's `error`: ours as they are, a lost database as such, a state
    that was edited into another form by the key that does not fit, and anything else as `internal`,
    with its trace in the log.

    Args:
        work: Returns the keys of the state that change. It may raise.
        before: What keys of the state are afterwards if the work does not set them. All are set,
            also those that this state lacks: of a subgraph's, the host keeps what it does not get.
    """

    async def run(state: _State, runtime: Runtime[Context]) -> Update:
        blank = deepcopy(dict(before))  # a host may change the lists that it gets
        try:
            options = await resolve(runtime)
        except Exception as error:  # noqa: BLE001  # a graph never raises
            return {**blank, **_failed(error, None)}
        try:
            update = await work(state, options)
        except GraphBubbleUp:  # an interrupt is no failure
            raise
        except Exception as error:  # noqa: BLE001
            return {**blank, **_failed(error, options, partial(_misfit, work, state))}
        if "flags" in update:
            # A checkpoint holds plain text, not the members of an enum.
            update = {**update, "flags": [str(flag) for flag in update["flags"]]}
        return {"error": None, **blank, **update}

    run.__name__ = run.__qualname__ = getattr(work, "__name__", "node")
    run.__doc__ = work.__doc__
    run.__module__ = work.__module__
    return run


def _failed(
    error: Exception,
    options: RunOptions | None,
    misfit: Callable[[], InputError | None] = lambda: None,
) -> Update:
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        return _failed(group.exceptions[0], options, misfit)
    if isinstance(error, Re2llmError):
        return {"error": error.as_dict()}
    if isinstance(error, OSError | SQLAlchemyError) and options is not None:
        return {"error": unreachable(options.services.engine, error).as_dict()}
    _log.error("a node failed", exc_info=error)
    if (found := misfit()) is not None:
        return {"error": found.as_dict()}
    problem = f"An unexpected {type(error).__name__} ended the run."
    internal = InternalError("re2llm", problem, IN_THE_LOG)
    return {"error": internal.as_dict()}


def _misfit(work: Callable[..., object], state: object) -> InputError | None:
    """Return what is wrong with the first key of a state that has another type than the node takes.

    `None` counts only if nothing else is wrong, and only for a list or map: elsewhere it may stand
    for what an earlier run of the thread has not answered.
    """
    kinds = get_type_hints(get_type_hints(work).get("state", object))
    values = cast("Mapping[str, Any]", state)
    given = [key for key in kinds if values.get(key) is not None]
    emptied = [key for key in kinds if key in values and _nothing(kinds[key]) is not None]
    found = (_told(key, kinds[key], values[key]) for key in [*given, *emptied])
    return next(filter(None, found), None)


def _told(key: str, kind: Any, value: Any) -> InputError | None:
    """Return what is wrong with the value of a key; `None` if it has its type."""
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        told = input_error(error, schema="")
        field = ".".join(filter(None, (key, told.field)))
        return InputError(field, told.problem, _EDITED)
    return None
