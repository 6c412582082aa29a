"""Who may use the LangGraph server, and what each may see; `auth` of langgraph.json.

A key's user carries the domains that the key may use; the nodes read them there. What a key may not
see is answered exactly like what does not exist, so an id reveals nothing.
"""

from __future__ import annotations

from typing import Any, cast

from langgraph_sdk import Auth, get_client
from langgraph_sdk.errors import NotFoundError

from ..errors import InputError, Re2llmError
from ..knowledge.access.keys import PREFIX
from ..operations.accounts.keys import any_key_works, check_key
from ..runtime.caller import Caller
from ..runtime.context import Context
from ..runtime.sharing import close_shared_services
from .key_rules import asks_for_key, key_of
from .named_ids import was_named

auth = Auth()

_OWNER = "re2llm_owner"
"""The key under which the metadata of threads, runs and stored items names their owner."""

CHECKED = "re2llm.caller"
"""Key in a request's scope of the caller that the gate has found, so that one look-up is enough for
both."""

OPEN = "re2llm.open"
"""Key in a request's scope: the gate has found that anyone may send it, such as a health check."""

User = Auth.types.MinimalUserDict
_Filter = dict[str, Any] | None


@auth.authenticate
async def authenticate(scope: dict[str, Any]) -> User:
    """Return who sends a request: a key's owner, or anyone on this machine.

    Args:
        scope: The request's, as ASGI has it.
    """
    if scope.get(OPEN):
        return cast("User", {"identity": "", "domains": []})
    if (checked := scope.get(CHECKED)) is not None:
        return cast("User", checked.as_user())
    key = key_of(scope)
    if key is not None and key.startswith(PREFIX):
        found = None if CHECKED in scope else await caller_with(key)
        if found is not None:
            return cast("User", found.as_user())
        raise _refused(401, "This API key is wrong or revoked.")
    if asks_for_key(scope):
        raise _refused(
            401, "Send an API key as `Authorization: Bearer …`; `re2llm keys create` makes one."
        )
    return cast("User", {"identity": "", "domains": None})


async def caller_with(key: str) -> Caller | None:
    """Return whom a key stands for, or `None` where it is wrong or revoked.

    Args:
        key: As it was sent.
    """
    if not key.startswith(PREFIX):
        return None
    return await check_key(Context(), key)


async def refusal_without_key() -> Re2llmError | None:
    """Return why a server that other machines can reach must not start, or `None` if it may.

    Closes the services of the running event loop.
    """
    try:
        if await any_key_works(Context()):
            return None
    except Re2llmError as error:
        return error
    finally:
        await close_shared_services()
    return InputError(
        "host",
        "Other machines can reach this address, but there is no API key.",
        "Make one with `re2llm keys create`, or listen on 127.0.0.1.",
    )


@auth.on
async def refuse(ctx: Auth.types.AuthContext, value: Any) -> bool:
    """Refuse to a key all that no other handler allows: assistants of its own, and crons.

    Args:
        ctx: Who asks for what.
        value: What they ask for.
    """
    del value
    return _owner(ctx) is None


@auth.on.assistants(actions=["read", "search"])
async def read_assistant(ctx: Auth.types.AuthContext, value: Any) -> _Filter:
    """Show the served graphs.

    Args:
        ctx: The user who asks.
        value: The data of the request.
    """
    del value
    return None if _owner(ctx) is None else {"created_by": "system"}


@auth.on.threads(actions=["read", "search", "delete"])
async def read_thread(ctx: Auth.types.AuthContext, value: Any) -> _Filter:
    """Show an owner's threads and their runs.

    Args:
        ctx: The user who asks.
        value: The data of the request.
    """
    del value
    return _owned(ctx)


@auth.on.threads.create
async def create_thread(ctx: Auth.types.AuthContext, value: Any) -> _Filter:
    """Let an owner make a thread; the server chooses its id.

    Args:
        ctx: The user who asks.
        value: The thread.
    """
    owner = _owner(ctx)
    if owner is None:
        return None
    if was_named(value.get("thread_id")):
        # The answer would tell whether another owner has it.
        raise _refused(403, "Leave `thread_id` out; the server chooses it.")
    return _claim(value, owner)


@auth.on.threads.update
async def update_thread(ctx: Auth.types.AuthContext, value: Any) -> _Filter:
    """Let an owner change a thread's metadata and cancel its runs, but not write its state.

    Args:
        ctx: The user who asks.
        value: The change.
    """
    owner = _owner(ctx)
    if owner is None:
        return None
    if "metadata" not in value and "action" not in value:
        # Nodes trust what earlier nodes have put into the state.
        raise _refused(403, "A key cannot write a thread's state.")
    return _owned(ctx) if "action" in value else _claim(value, owner)


@auth.on.threads.create_run
async def create_run(ctx: Auth.types.AuthContext, value: Any) -> _Filter:
    """Let an owner run a graph on a thread of theirs, or on none.

    Args:
        ctx: The user who asks.
        value: The run.
    """
    owner = _owner(ctx)
    if owner is None:
        return None
    command: dict[str, Any] = value["kwargs"].get("command") or {}
    if command.get("update") or command.get("goto"):
        raise _refused(403, "A key cannot write a thread's state.")
    if value["kwargs"].get("webhook"):
        raise _refused(403, "A key cannot have the server call another address.")
    thread = value.get("thread_id")
    if value.get("if_not_exists") == "create" and was_named(thread) and not await _has(thread):
        raise _refused(404, "Thread or assistant not found.")
    return _claim(value, owner)


@auth.on.store()
async def own_namespace(ctx: Auth.types.AuthContext, value: Any) -> None:
    """Keep an owner's stored items in the owner's own namespace.

    Args:
        ctx: The user who asks.
        value: With the namespace as sent, which is put under the owner's.
    """
    owner = _owner(ctx)
    if owner is not None:
        # A label of the store holds no period.
        value["namespace"] = (_OWNER, owner.encode().hex(), *(value.get("namespace") or ()))


def _owner(ctx: Auth.types.AuthContext) -> str | None:
    user = ctx.user
    anybody = "domains" in user and user["domains"] is None
    return None if anybody else user.identity


def _owned(ctx: Auth.types.AuthContext) -> _Filter:
    owner = _owner(ctx)
    return None if owner is None else {_OWNER: owner}


def _claim(value: Any, owner: str) -> _Filter:
    """Set the owner, overwriting any that the client sent."""
    metadata = value.get("metadata")
    if metadata is None:
        metadata = value["metadata"] = {}
    metadata[_OWNER] = owner
    return {_OWNER: owner}


async def _has(thread: object) -> bool:
    """Whether the request's user has a thread; asks the server itself, within the request."""
    try:
        await get_client(url=None).threads.get(str(thread))
    except NotFoundError:
        return False
    return True


def _refused(status: int, detail: str) -> Exception:
    return Auth.exceptions.HTTPException(status_code=status, detail=detail)
