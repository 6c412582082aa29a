"""Checks what the models can do, by calling them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

from langchain_core.messages import BaseMessage

from ...errors import InputError, Re2llmError
from ...llm.client.endpoint import Endpoint
from ...llm.client.factory import make_chat_model, model_server
from ...llm.client.limits import Limits
from ...llm.client.probe_questions import ProbeQuestion, Prober, UnbookedQuestion
from ...llm.client.probes import MOST_CALLS, MOST_REFUSED, USUAL_CALLS, Finding, Probes
from ...llm.client.reflecting_settings import in_reflecting_settings
from ...runtime.booking import Booking
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...settings import OFFLINE_MODEL, Settings
from .diagnosis import Check

_PATIENCE = 20.0
"""Seconds that one question to a model may take, unless RE2LLM_REQUEST_TIMEOUT is set."""
_CHECKS = ("model", "key", "json", "tools", "logprobs", "prompt cache")


_WAYS = {
    "json": "rankings are asked for as lists",
    "paper": "rankings are asked for as the paper does",
    "letters": "rankings are asked for as one letter",
}


def announced_calls(settings: Settings, context: Context) -> str:
    """Say how often `model_checks` calls models that may cost something; empty if never."""
    names = _asked(settings, context)
    if not names:
        return ""
    reflecting = len(names) - 1
    most = MOST_CALLS + reflecting * (1 + MOST_REFUSED)
    return (
        f"Asks {' and '.join(names)} up to {most} times, usually {USUAL_CALLS + reflecting}, with "
        "some 5,000 tokens in all. A paid model charges for that, and `re2llm costs` counts it."
    )


async def model_checks(
    settings: Settings, context: Context, options: RunOptions | None, *, ask_model: bool
) -> tuple[list[Check], int]:
    """Return the findings about the ranking and the reflecting model, and how many calls it took.

    Args:
        options: With the ledger for the calls, and where to keep what was found; `None` without a
            database.
        ask_model: Whether models may be called.
    """
    names = _asked(settings, context)
    model = context.model or settings.model
    checks: list[Check] = []
    calls = 0
    if model == OFFLINE_MODEL:
        found = "the offline model ranks in this process: no server, no key, no cost"
        checks.append(Check(name="model", status="ok", found=found))
    for name in names:
        reflects = name != model
        try:
            endpoint = await asyncio.to_thread(_endpoint, settings, name, reflects=reflects)
        except InputError as error:
            checks.append(Check.of("reflecting model" if reflects else "model", error))
            continue
        if not ask_model:
            checks.append(Check(name="model", status="skipped", found=f"{name} was not asked"))
            continue
        opened = partial(_opened, options, endpoint)
        asking = Prober(endpoint, _patience(settings), opened)
        probes = Probes(asking)
        try:
            found = await _reflecting(probes, settings) if reflects else await _ranking(probes)
            checks += [Check.model_validate(asdict(finding)) for finding in found]
        except Re2llmError as error:  # such as a budget that is spent
            checks.append(Check.of("reflecting model" if reflects else "model", error))
        calls += asking.calls
        if not reflects and probes.gives_logprobs is not None and options:
            await options.services.models.note_logprobs(name, given=probes.gives_logprobs)
    if options and ask_model:
        checks = [await _with_recipe(check, context) for check in checks]
    return checks, calls


async def _with_recipe(check: Check, context: Context) -> Check:
    """Add to what was found of log-probabilities how rankings are asked for."""
    if check.name != "logprobs" or check.status == "skipped":
        return check
    recipe = (await resolve_context(context)).prompt
    way = _WAYS[recipe.name]
    return check.model_copy(update={"found": f"{check.found}; {way} ({recipe.version})"})


async def _ranking(probes: Probes) -> list[Finding]:
    found = await probes.answers()
    if any(finding.status == "failed" for finding in found):
        rest = _CHECKS[len(found) :]
        return [*found, *(Finding(name, "skipped", "the model gives no answer") for name in rest)]
    for probe in (probes.json, probes.tools, probes.logprobs, probes.cache):
        found.append(await probe())
    left_out = probes.left_out()
    return [*found, left_out] if left_out else found


async def _reflecting(probes: Probes, settings: Settings) -> list[Finding]:
    return [
        replace(
            finding,
            name=f"reflecting {finding.name}",
            remedy=in_reflecting_settings(finding.remedy, settings, named=True),
        )
        for finding in await probes.answers()
    ]


def _opened(
    options: RunOptions | None, endpoint: Endpoint, messages: Sequence[BaseMessage]
) -> ProbeQuestion:
    return Booking(options, endpoint, messages, "probe") if options else UnbookedQuestion()


def _endpoint(settings: Settings, name: str, *, reflects: bool) -> Endpoint:
    own = settings.model_copy(update={"model_retries": 0, "request_timeout": _patience(settings)})
    server = model_server(own, reflects=reflects)
    return Endpoint(
        name, make_chat_model(own, name, reflects=reflects), Limits(1, None), own, server=server
    )


def _patience(settings: Settings) -> float:
    chosen = "request_timeout" in settings.model_fields_set
    return settings.request_timeout if chosen else min(settings.request_timeout, _PATIENCE)


def _asked(settings: Settings, context: Context) -> list[str]:
    model = context.model or settings.model
    reflecting = context.reflect_model or settings.reflect_model or model
    return [name for name in dict.fromkeys([model, reflecting]) if name != OFFLINE_MODEL]
