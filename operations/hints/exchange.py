"""Exports a domain's hints, and imports hints as candidates."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import InputError
from ...knowledge.domain_locks import hold_hints
from ...knowledge.hint_store.hints import add_hint, clean_hint, list_hints
from ...knowledge.hint_store.reflections import Proposal, store_proposal
from ...knowledge.hint_store.stats import measured_hints
from ...ranking.hints.repeats import embed
from ...runtime.context import Context
from ...runtime.domain_cache import leak_filter_of
from ...runtime.options import RunOptions, resolve_context
from ...runtime.plain_errors import sentence
from ..database import find_run_domain, in_domain, with_domain
from .results import ImportedHints

_NOTHING: Mapping[str, Mapping[str, Any]] = {}


class _Hint(BaseModel):
    """A hint of a file; its other keys are for people."""

    model_config = ConfigDict(extra="ignore")

    text: str


class _HintFile(BaseModel):
    """The form of a file with hints."""

    model_config = ConfigDict(extra="ignore")

    hints: list[_Hint] = Field(max_length=100_000)


async def export_hints(context: Context) -> dict[str, Any]:
    """Return a domain's active and pending hints, with their gains on the run's model, as JSON.

    Raises:
        InputError: There is no such domain.
    """
    options = await resolve_context(context)
    async with in_domain(options) as (connection, domain):
        hints = await measured_hints(connection, domain.id, options.prompted_model)
    return {
        "domain": domain.name,
        "model": options.model,
        "hints": [
            {
                "text": hint.text,
                "status": hint.status,
                "trials": hint.trials,
                "mean_gain": round(hint.mean_gain, 4),
                "gain_error": round(hint.gain_error, 4),
            }
            for hint in hints
            if hint.status != "retired"
        ],
    }


async def import_hints(context: Context, document: Any) -> ImportedHints:
    """Store a file's hints as pending: they were not verified on this catalogue and model.

    Hints that name an item of the catalogue are refused, hints that are there already are skipped.

    Args:
        context: The run's options.
        document: What `export_hints` returns, or a list of texts. Of a hint, only its text counts.

    Raises:
        InputError: The document has another form, or there is no such domain; nothing was stored.
    """
    options = await resolve_context(await with_domain(context))
    return await _import(options, _texts(document), {"source": "import"})


async def import_from_domain(context: Context, other: str) -> ImportedHints:
    """Store another domain's active hints as pending, for this domain's sessions to test.

    As `import_hints`; where each comes from is kept with it.

    Args:
        context: The run's options.
        other: The other domain's name; the run must be allowed to use it.

    Raises:
        InputError: There is no such domain, it is this one, or it has no active hints.
    """
    options = await resolve_context(await with_domain(context))
    await find_run_domain(options)  # it exists
    async with in_domain(options, other) as (connection, found):
        hints = await list_hints(connection, found.id, status="active")
    if found.name == options.domain:
        raise InputError("from_domain", f"{other!r} is the same domain.", "Name another one.")
    if not hints:
        raise InputError(
            "from_domain", f"{other!r} has no active hints.", "Name a domain that has learned."
        )
    origin = {"source": "domain", "domain": found.name}
    return await _import(
        options,
        [hint.text for hint in hints],
        origin,
        {hint.text: {"hint": hint.id} for hint in hints},
        f"From domain {found.name}.",
    )


async def _import(
    options: RunOptions,
    texts: Sequence[str],
    origin: Mapping[str, Any],
    each: Mapping[str, Mapping[str, Any]] = _NOTHING,
    reason: str = "Imported.",
) -> ImportedHints:
    imported = ImportedHints(domain=options.domain, stored=[], duplicate=0, refused=[])
    domain = await find_run_domain(options)
    leaks = await leak_filter_of(options.services, domain)
    vectors = [await embed(text, options) for text in texts]
    async with in_domain(options, write=True) as (connection, domain):
        await hold_hints(connection, domain.id)
        for text, vector in zip(texts, vectors, strict=True):
            leak = leaks.leak(text)
            proposal = Proposal(text, "leak", leak or "", None)
            if leak is not None:
                imported.refused.append({"text": text, "reason": leak})
            else:
                hint, new = await add_hint(
                    connection,
                    domain.id,
                    text,
                    vector,
                    provenance={**origin, **each.get(text, {})},
                    status="pending",
                )
                if new:
                    imported.stored.append(hint)
                imported.duplicate += not new
                proposal = Proposal(text, "stored" if new else "duplicate", reason, hint)
            await store_proposal(connection, domain.id, None, proposal)
    return imported


def _texts(document: Any) -> list[str]:
    if isinstance(document, list):
        document = {"hints": [{"text": text} for text in cast("list[Any]", document)]}
    try:
        read = _HintFile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        problem = f"{place}: {sentence(first)}" if place else sentence(first)
        raise InputError(
            "file",
            f"It has no list of hints. {problem}",
            "Name a file from `re2llm hints export`, or a JSON list of texts.",
        ) from error
    found: list[str] = []
    for number, hint in enumerate(read.hints, 1):
        try:
            found.append(clean_hint(html.unescape(hint.text)))
        except InputError as error:
            raise InputError("file", f"Hint {number}: {error.problem}", error.remedy) from error
    return list(dict.fromkeys(found))
