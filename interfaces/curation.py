"""Looking after catalogues and hints, for callers without an event loop."""

# Each method takes what its twin in `async_curation` describes.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ..operations.domain_results import ListedDomain
from ..operations.hint_results import (
    AddedHint,
    ImportedHints,
    ListedHints,
    TriedHint,
    VerifiedHints,
)
from ..operations.improve_results import ImprovedHints
from ..operations.items import ItemsFound, ItemShown
from ..operations.tidy_results import TidiedHints
from ..runtime.progress import Progress, silent
from .async_curation import AsyncCuration

_Result = TypeVar("_Result")


class Curation(AsyncCuration):
    """What an editor does, for callers without an event loop."""

    @abstractmethod
    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine on the object's own thread and return its result."""

    def domains(self) -> list[ListedDomain]:
        """Wait for `adomains`."""
        return self.run(self.adomains)

    def delete_domain(self, domain: str) -> ListedDomain:
        """Wait for `adelete_domain`."""
        return self.run(partial(self.adelete_domain, domain))

    def search_items(self, query: str, *, domain: str | None = None, count: int = 10) -> ItemsFound:
        """Wait for `asearch_items`."""
        return self.run(partial(self.asearch_items, query, domain=domain, count=count))

    def show_item(self, item: str, *, domain: str | None = None, count: int = 5) -> ItemShown:
        """Wait for `ashow_item`."""
        return self.run(partial(self.ashow_item, item, domain=domain, count=count))

    def hints(self, *, domain: str | None = None) -> ListedHints:
        """Wait for `ahints`."""
        return self.run(partial(self.ahints, domain=domain))

    def add_hint(self, text: str, *, domain: str | None = None) -> AddedHint:
        """Wait for `aadd_hint`."""
        return self.run(partial(self.aadd_hint, text, domain=domain))

    def approve_hints(self, hints: Sequence[int], *, domain: str | None = None) -> None:
        """Wait for `aapprove_hints`."""
        self.run(partial(self.aapprove_hints, hints, domain=domain))

    def retire_hints(
        self, hints: Sequence[int], *, domain: str | None = None, reason: str = ""
    ) -> None:
        """Wait for `aretire_hints`."""
        self.run(partial(self.aretire_hints, hints, domain=domain, reason=reason))

    def try_hint(
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
        """Wait for `atry_hint`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.atry_hint,
                text,
                domain=domain,
                model=model,
                sessions=sessions,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )
        )

    def verify_hints(
        self,
        hints: Sequence[int] = (),
        *,
        domain: str | None = None,
        model: str | None = None,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> VerifiedHints:
        """Wait for `averify_hints`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.averify_hints,
                hints,
                domain=domain,
                model=model,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )
        )

    def improve_hints(
        self,
        *,
        domain: str | None = None,
        model: str | None = None,
        attempts: int = 10,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> ImprovedHints:
        """Wait for `aimprove_hints`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.aimprove_hints,
                domain=domain,
                model=model,
                attempts=attempts,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )
        )

    def tidy_hints(
        self,
        *,
        domain: str | None = None,
        model: str | None = None,
        dry_run: bool = False,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        progress: Progress = silent,
    ) -> TidiedHints:
        """Wait for `atidy_hints`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.atidy_hints,
                domain=domain,
                model=model,
                dry_run=dry_run,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )
        )

    def export_hints(self, *, domain: str | None = None) -> dict[str, Any]:
        """Wait for `aexport_hints`."""
        return self.run(partial(self.aexport_hints, domain=domain))

    def import_hints(self, document: Any, *, domain: str | None = None) -> ImportedHints:
        """Wait for `aimport_hints`."""
        return self.run(partial(self.aimport_hints, document, domain=domain))

    def import_hints_from(self, other: str, *, domain: str | None = None) -> ImportedHints:
        """Wait for `aimport_hints_from`."""
        return self.run(partial(self.aimport_hints_from, other, domain=domain))
