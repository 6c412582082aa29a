"""`re2llm keys`: who may use the server, and which domains each may know of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .console import out, print_json, run

keys = typer.Typer(help="Make, list and revoke API keys of the server.", no_args_is_help=True)

_AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@keys.command("create")
def create(
    owner: Annotated[str, typer.Argument(help="Whose threads and runs it opens.")],
    domain: Annotated[
        list[str] | None, typer.Option(help="A catalogue that it may know of; repeatable.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model that it may name, besides the server's own; repeatable."),
    ] = None,
    may: Annotated[
        list[str] | None, typer.Option(help="What else it may do: learn, export; repeatable.")
    ] = None,
    calls_per_day: Annotated[
        int | None, typer.Option(help="Paid model calls a day (UTC); unset for any number.")
    ] = None,
    usd_per_day: Annotated[
        float | None,
        typer.Option(help="Cost of a day's calls, by RE2LLM_PRICES; unset for any sum."),
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="HTTP requests a minute; unset for any number.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Make a key and print it, this once. Several keys may have one owner.

    Example: re2llm keys create shop --domain films --calls-per-day 1000
    """
    granted = {
        "models": model or [],
        "may": may or [],
        "calls_per_day": calls_per_day,
        "usd_per_day": usd_per_day,
        "requests_per_minute": requests_per_minute,
    }
    run(lambda: _create(owner, domain or [], granted, as_json))


async def _create(owner: str, domains: list[str], granted: dict[str, Any], as_json: bool) -> None:
    from ..knowledge.grants import Grants
    from ..knowledge.keys import create_key
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.begin() as connection:
        key = await create_key(connection, owner, domains, Grants.from_dict(granted))
    if as_json:
        print_json({"key": key, "owner": owner, "domains": sorted(set(domains)), **granted})
        return
    typer.echo(key)
    typer.echo("Keep it: it cannot be shown again. Send it as `Authorization: Bearer …`.", err=True)


@keys.command("list")
def list_(as_json: _AsJson = False) -> None:
    """List all keys, without their secrets.

    Example: re2llm keys list
    """
    run(lambda: _list(as_json))


async def _list(as_json: bool) -> None:
    from ..knowledge.keys import list_keys
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        stored = await list_keys(connection)
    if as_json:
        print_json(
            [
                {
                    "id": key.id,
                    "owner": key.owner,
                    "domains": key.domains,
                    **key.grants.as_dict(),
                    "created_at": key.created_at.isoformat(),
                    "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
                }
                for key in stored
            ]
        )
        return
    for key in stored:
        state = "works" if key.revoked_at is None else "revoked"
        out.print(
            f"{key.id}  {state:<7}  {key.created_at:%Y-%m-%d}  {key.owner}: "
            + ", ".join([*key.domains, *key.grants.listed()]),
            markup=False,
            soft_wrap=True,
        )
    if not stored:
        out.print("There are no keys yet: `re2llm keys create` makes one.")


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, as `keys list` shows it.")],
    as_json: _AsJson = False,
) -> None:
    """Make a key stop working, at once and for good; doing it again changes nothing.

    Example: re2llm keys revoke 3f9c2a7d41b0
    """
    run(lambda: _revoke(key, as_json))


async def _revoke(key: str, as_json: bool) -> None:
    from ..knowledge.keys import revoke_key
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.begin() as connection:
        worked = await revoke_key(connection, key)
    if as_json:
        print_json({"id": key, "revoked": worked})
    else:
        out.print(f"{key} is revoked{'' if worked else ' already'}.", markup=False)
