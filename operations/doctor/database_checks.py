"""Checks the database and what is in it: the catalogue and the active release."""

from __future__ import annotations

import asyncio
import shlex

from ...errors import InputError, PoolerError, Re2llmError, ReleaseMisfitError
from ...knowledge.domains import find_domain, list_domains
from ...knowledge.inspection import inspect_database
from ...knowledge.releases import RELEASE
from ...ranking.release_cache import served_policy
from ...ranking.serving_state import serving_state_of
from ...records import counted
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..database import connected
from .diagnosis import Check

_OPENING = 120.0
"""Seconds that the database may take to start, to answer and to be migrated."""


async def database_checks(context: Context) -> tuple[list[Check], RunOptions | None]:
    """Open the database as any command does, and tell what is there.

    Returns:
        What was found, and the run's options; `None` if the database cannot be used.
    """
    try:
        async with asyncio.timeout(_OPENING):
            options = await resolve_context(context)
            checks = [await _versions(options)]
            return checks + await _catalogue_checks(options), options
    except Re2llmError as error:
        return [Check.of("database", error)], None
    except TimeoutError:
        return [
            Check(
                name="database",
                status="failed",
                found=f"no answer within {_OPENING:.0f} seconds",
                remedy="Is another process migrating it, or is RE2LLM_DATABASE_URL wrong?",
            )
        ], None


async def _versions(options: RunOptions) -> Check:
    async with connected(options) as connection:
        state = await inspect_database(connection)
    where = "your own" if options.settings.database_url else "embedded"
    found = (
        f"{where} PostgreSQL {state.server}, pgvector {state.vector}, "
        f"schema up to date ({state.revision})"
    )
    if state.vector_is_old:
        remedy = "Update pgvector to 0.8.4 or later: earlier versions can corrupt an index."
        return Check(name="database", status="note", found=found, remedy=remedy)
    if not state.writable:
        remedy = "To learn, and to store answers, use the primary server, or a role that may write."
        return Check(
            name="database", status="note", found=f"{found}; it can only be read", remedy=remedy
        )
    try:
        async with options.services.locks.alone("doctor"):
            return Check(name="database", status="ok", found=found)
    except PoolerError as error:
        # What serves works; only learning does not.
        found = f"{found}; a pooler lends connections by transaction, so nothing can be learned"
        return Check(name="database", status="note", found=found, remedy=error.remedy)


async def _catalogue_checks(options: RunOptions) -> list[Check]:
    async with connected(options) as connection:
        try:
            found = await find_domain(connection, options.domain, among=options.domains)
        except InputError as error:
            return [
                Check(name="catalogue", status="note", found=error.problem, remedy=error.remedy)
            ]
        (counts,) = await list_domains(connection, name=found.name)
        told = (
            f"{counted(counts['items'], 'item')}, {counted(counts['sessions'], 'session')}, "
            f"{counted(counts['hints'], 'hint')}"
        )
        catalogue = Check(name="catalogue", status="ok", found=f"{found.name}: {told}")
        try:
            served = await served_policy(
                options.services, connection, found.id, options.prompted_model
            )
        except ReleaseMisfitError as error:
            # Nothing is broken, which a newcomer cannot know.
            said = f"{error.problem} It is not used: the best verified hint is given, or none."
            release = Check(name="release", status="note", found=said, remedy=error.remedy)
        else:
            release = await _fitting(options, found.name, served and served.number)
    return [catalogue, release]


async def _fitting(options: RunOptions, domain: str, number: int | None) -> Check:
    """Say that the active release fits the model, and whether the model's weight is known."""
    if number is None:
        return Check(name="release", status="ok", found="none is active")
    fits = f"release {number} fits the model"
    serving = await serving_state_of(options, domain)
    if options.fuse == "learned" and not {f"{RELEASE}{number}", "ppo"} & serving.fusions.keys():
        said = (
            f"{fits}, but no weight of the model beside the first stage is known for it, so the "
            "model is asked, whatever it adds. Fitting the first stage again forgets the weight"
        )
        remedy = f"`re2llm train --domain {shlex.quote(domain)}` measures it again."
        return Check(name="release", status="note", found=said, remedy=remedy)
    return Check(name="release", status="ok", found=fits)
