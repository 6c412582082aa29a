"""`re2llm keys`: who may use the server, and which domains each may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..records import counted
from .console import out, print_json, run
from .groups import CommandGroup
from .options import JsonOption
from .tables import print_table

if TYPE_CHECKING:
    from ..operations.accounts.key_results import ListedKey

keys = CommandGroup(help="Create, list and revoke API keys for the server.", no_args_is_help=True)


@keys.command("create")
def create(
    owner: Annotated[
        str,
        typer.Argument(
            metavar="OWNER", help="Who the key is for. Keys of one owner share threads and runs."
        ),
    ],
    domain: Annotated[
        list[str] | None,
        typer.Option(
            "--domain", metavar="DOMAIN", help="A domain that the key may use; repeatable."
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model that it may name, besides the server's own; repeatable.",
        ),
    ] = None,
    may: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RIGHT", help="What else it may do: learn, export, load, metrics; repeatable."
        ),
    ] = None,
    calls_per_day: Annotated[
        int | None,
        typer.Option(metavar="N", help="Paid model calls a day (UTC). Default: any number."),
    ] = None,
    usd_per_day: Annotated[
        float | None,
        typer.Option(metavar="USD", help="Cost of a day's calls, by RE2LLM_PRICES. Default: any."),
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(metavar="N", help="HTTP requests a minute. Default: any number.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it. It is never shown again. One owner may have several keys.

    Example: re2llm keys create shop --domain films --calls-per-day 1000
    """
    granted = {
        "models": models or [],
        "may": may or [],
        "calls_per_day": calls_per_day,
        "usd_per_day": usd_per_day,
        "requests_per_minute": requests_per_minute,
    }
    run(lambda: _create(owner, domain or [], granted, as_json))


async def _create(owner: str, domains: list[str], granted: dict[str, Any], as_json: bool) -> None:
    from ..operations.accounts.keys import create_key
    from ..runtime.context import Context

    created = await create_key(Context(), owner, domains, **granted)
    if as_json:
        print_json(created.model_dump())
        return
    typer.echo(created.key)
    typer.echo("Save it: it cannot be shown again. Send it as `Authorization: Bearer …`.", err=True)


@keys.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all keys, without their secrets.

    Example: re2llm keys list
    """
    run(lambda: _list(as_json))


async def _list(as_json: bool) -> None:
    from ..operations.accounts.keys import list_keys
    from ..runtime.context import Context

    listed = await list_keys(Context())
    if as_json:
        print_json([key.model_dump(mode="json") for key in listed])
        return
    if not listed:
        out.print("There are no keys yet: `re2llm keys create` makes one.")
        return
    rows = [
        [
            *(key.id, "works" if key.revoked_at is None else "revoked"),
            *(f"{key.created_at:%Y-%m-%d}", key.owner),
            *(", ".join(key.domains), ", ".join(_granted(key))),
        ]
        for key in listed
    ]
    print_table(("key", "state", "created", "owner", "domains", "rights and limits"), rows)


def _granted(key: ListedKey) -> list[str]:
    calls, usd, requests = key.calls_per_day, key.usd_per_day, key.requests_per_minute
    return [
        *key.models,
        *(f"may {right}" for right in key.may),
        *([] if calls is None else [counted(calls, "call a day", "calls a day")]),
        *([] if usd is None else [f"{usd:g} USD a day"]),
        *([] if requests is None else [counted(requests, "request a minute", "requests a minute")]),
    ]


@keys.command("revoke")
def revoke(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The key's id, as `keys list` shows it.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key at once and for good; jobs that it has started stop.

    Example: re2llm keys revoke 3f9c2a7d41b0
    """
    run(lambda: _revoke(key, as_json))


async def _revoke(key: str, as_json: bool) -> None:
    from ..operations.accounts.keys import revoke_key
    from ..runtime.context import Context

    revoked = await revoke_key(Context(), key)
    if as_json:
        print_json(revoked.model_dump())
    else:
        out.print(f"{key} is {'now' if revoked.revoked else 'already'} revoked.")
        if revoked.jobs_stopped:
            stopped = counted(revoked.jobs_stopped, "running job", "running jobs")
            out.print(f"Stopped: {stopped}. `re2llm jobs retry` goes on with one.")
        if revoked.autopilots_held:
            held = counted(revoked.autopilots_held, "autopilot", "autopilots")
            out.print(f"Held: {held}. `re2llm autopilot resume` goes on.")
