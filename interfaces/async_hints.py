"""Looking after hints with a `Re2llm` object's database and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..operations.hints.exchange import export_hints, import_from_domain, import_hints
from ..operations.hints.improve import improve_hints
from ..operations.hints.improve_results import ImprovedHints
from ..operations.hints.manage import add_hint, approve_hints, list_hints, retire_hints, show_hint
from ..operations.hints.results import (
    AddedHint,
    ImportedHints,
    ListedHints,
    TriedHint,
    VerifiedHints,
)
from ..operations.hints.tidy import tidy_hints
from ..operations.hints.tidy_results import TidiedHints
from ..operations.hints.try_hint import try_hint
from ..operations.hints.verify import verify_hints
from ..runtime.progress import Progress, silent
from .async_catalogue import AsyncCatalogue


class AsyncHints(AsyncCatalogue):
    """What an editor of the hints does."""

    async def ahints(self, *, domain: str | None = None) -> ListedHints:
        """List a domain's hints with their gains measured on the object's model.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await list_hints(self.context(), domain=domain)

    async def ashow_hint(self, hint: int, *, domain: str | None = None) -> dict[str, Any]:
        """Show a hint with the miss it came from, its trials, uses and decisions.

        Args:
            hint: Its id.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such hint.
        """
        return await show_hint(self.context(), hint, domain=domain)

    async def aadd_hint(self, text: str, *, domain: str | None = None) -> AddedHint:
        """Store a person's hint, unverified but active; it may not name an item.

        Args:
            text: One or two imperative sentences.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: The text is empty or too long, or there is no such domain.
        """
        return await add_hint(self.context(), text, domain=domain)

    async def aapprove_hints(self, hints: Sequence[int], *, domain: str | None = None) -> None:
        """Activate pending or retired hints: all of them, or none.

        Args:
            hints: Their ids.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: One of them does not exist; none was changed.
        """
        await approve_hints(self.context(), hints, domain=domain)

    async def aretire_hints(
        self, hints: Sequence[int], *, domain: str | None = None, reason: str = ""
    ) -> None:
        """Retire hints: all of them, or none. Their trials are kept.

        Args:
            hints: Their ids.
            domain: Its name; `None` takes the object's.
            reason: Stored with the hints.

        Raises:
            Re2llmError: One of them does not exist; none was changed.
        """
        because = reason or "A program retired it."
        await retire_hints(self.context(), hints, domain=domain, reason=because)

    async def atry_hint(
        self,
        text: str,
        *,
        domain: str | None = None,
        model: str | None = None,
        sessions: int = 40,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> TriedHint:
        """Measure the gain of a hint, without storing it.

        Args:
            text: One or two imperative sentences.
            domain: Its name; `None` takes the object's.
            model: The ranking model; `None` takes the object's.
            sessions: Training sessions to try it on, drawn at random.
            max_llm_calls: Stop after this many model calls.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            progress: Called with the stage, the sessions done and their total.

        Raises:
            Re2llmError: The text cannot be used, there are no training sessions, or the budget or
                the model ended it.
        """
        return await try_hint(
            self.context(domain=domain, model=model),
            text,
            sessions=sessions,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            progress=progress,
        )

    async def averify_hints(
        self,
        hints: Sequence[int] = (),
        *,
        domain: str | None = None,
        model: str | None = None,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> VerifiedHints:
        """Try hints on training sessions, activate those that help and retire those that harm.

        Args:
            hints: Their ids; none takes the active and pending ones not tried on this model.
            domain: Its name; `None` takes the object's.
            model: The ranking model; `None` takes the object's.
            max_llm_calls: Stop after this many model calls.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            progress: Called with the stage, the hints done and their total.

        Raises:
            Re2llmError: There is no such domain or hint, or there are no training sessions.
        """
        return await verify_hints(
            self.context(domain=domain, model=model),
            hints,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            progress=progress,
        )

    async def aimprove_hints(
        self,
        *,
        domain: str | None = None,
        model: str | None = None,
        attempts: int = 10,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> ImprovedHints:
        """Join hints that help in different sessions, fix those that harm; keep what is better.

        Args:
            domain: Its name; `None` takes the object's.
            model: The ranking model; `None` takes the object's.
            attempts: New hints to make at most.
            max_llm_calls: Stop after this many model calls.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            progress: Called with the stage, the attempts done and their total.

        Raises:
            Re2llmError: There is no such domain, or it has no training sessions.
        """
        return await improve_hints(
            self.context(domain=domain, model=model),
            attempts=attempts,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            progress=progress,
        )

    async def atidy_hints(
        self,
        *,
        domain: str | None = None,
        model: str | None = None,
        dry_run: bool = False,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> TidiedHints:
        """Merge hints that say the same, and retire those that harm or do not help.

        Args:
            domain: Its name; `None` takes the object's.
            model: The ranking model; `None` takes the object's.
            dry_run: Change no hint; without a limit, make no model call either.
            max_llm_calls: Stop after this many model calls; 0 decides by past trials.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            progress: Called with the stage, the hints done in the round and their total.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await tidy_hints(
            self.context(domain=domain, model=model),
            dry_run=dry_run,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            progress=progress,
        )

    async def aexport_hints(self, *, domain: str | None = None) -> dict[str, Any]:
        """Return a domain's active and pending hints as JSON.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await export_hints(self.context(domain=domain))

    async def aimport_hints(self, document: Any, *, domain: str | None = None) -> ImportedHints:
        """Store hints as pending, until `averify_hints` shows that they help here.

        Args:
            document: A document from `aexport_hints`, or a list of texts.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: The document has another form, or there is no such domain.
        """
        return await import_hints(self.context(domain=domain), document)

    async def aimport_hints_from(self, other: str, *, domain: str | None = None) -> ImportedHints:
        """Store another domain's active hints as pending, until they are shown to help here.

        Args:
            other: The other catalogue.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain, or the other one has no active hints.
        """
        return await import_from_domain(self.context(domain=domain), other)
