"""What of a run's context counts: its values are checked, and an API key's grants narrow it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, cast

from langgraph.runtime import Runtime
from pydantic import TypeAdapter, ValidationError

from ..knowledge.serving_state import ServingState
from .budget import Budget
from .caller import Caller, caller_of
from .context import Context
from .past_session import PastSession
from .questions import Questions
from .request_limits import input_error
from .sharing import ServiceSet

_FORM = TypeAdapter(Context)
_IN_PROCESS = {
    "services": ServiceSet,
    "caller": Caller,
    "questions": Questions,
    "serving_state": ServingState,
    "past_session": PastSession,
}
"""The type of values that no client can send: anything else in their place is ignored."""


def context_of(given: object) -> Context:
    """Return the `Context` that a run's context holds, in whatever form.

    Args:
        given: Ours, a mapping of our options, a host's own object that carries ours as its
            `re2llm`, or anything else, which sets nothing.
    """
    if isinstance(given, Context):
        return given
    if isinstance(given, dict):
        options = cast("dict[str, Any]", given)
        if "re2llm" in options:
            return context_of(options["re2llm"])
        names = {field.name for field in fields(Context)}
        return Context(**{name: value for name, value in options.items() if name in names})
    carried = getattr(given, "re2llm", None)
    return Context() if carried is None else context_of(carried)


def narrowed(context: Context, runtime: Runtime[Any]) -> Context:
    """Return what a context may ask of a run.

    Args:
        runtime: The run's; a LangGraph server has put the authenticated user into it.

    Raises:
        InputError: An option holds a value that cannot be used.
    """
    return granted(context, runtime.server_info.user if runtime.server_info is not None else None)


def granted(context: Context, user: Any) -> Context:
    """Return what an API key may ask of a run; options that it was not granted are left out.

    Args:
        context: The run's options, as a client sent them.
        user: Whom a server has authenticated; `None` for none.

    Raises:
        InputError: An option holds a value that cannot be used.
    """
    caller = caller_of(user)
    if caller is None:
        return context
    grants = caller.grants
    named = context.reflect_model if "learn" in grants.may else None
    asked = checked(
        Context(
            domain=context.domain,
            domains=context.domains,
            policy=context.policy,
            model=context.model if context.model in grants.models else None,
            reflect_model=named if named in grants.models else None,
            seed=context.seed,
            services=context.services,
            caller=caller,
        )
    )
    wanted = caller.domains if asked.domains is None else asked.domains
    return replace(asked, domains=[name for name in wanted if name in caller.domains])


def checked(context: Context) -> Context:
    """Return a context whose values all have their types and keep to their limits.

    Args:
        context: Unchecked: LangGraph makes one of whatever JSON a client sends.

    Raises:
        InputError: One does not; the message names it.
    """
    values = {field.name: getattr(context, field.name) for field in fields(Context)}
    for name, kind in _IN_PROCESS.items():
        values[name] = values[name] if isinstance(values[name], kind) else None
    try:
        return _FORM.validate_python(values)
    except ValidationError as error:
        # What else is unknown is left out.
        limits = [field.name for field in fields(Budget) if field.name.startswith("max_")]
        raise input_error(error, schema="context", known=limits) from error
