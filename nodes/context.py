"""What a caller may set for a run, and one tolerant way for nodes to read it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, cast

from langgraph.runtime import Runtime

from ..settings import HintChoice, Settings
from .services import Services, shared_services


@dataclass(kw_only=True)
class Context:
    """A run's options. What is unset falls back to the settings (`RE2LLM_*`)."""

    domain: str | None = None
    """The catalogue, if the request names none."""
    policy: HintChoice | None = None
    """How the hint is chosen."""
    model: str | None = None
    """The ranking model, such as `openai:gpt-4.1-mini`."""
    seed: int | None = None
    """Seed of the candidates' order and of random hints."""
    record: bool = True
    """Whether the answer is logged."""


@dataclass(frozen=True, slots=True)
class Call:
    """A run's options with every gap filled.

    Attributes:
        services: The process's database, models and caches.
        domain: The catalogue, if the request names none.
        policy: How the hint is chosen.
        model: The ranking model.
        seed: Seed of the candidates' order and of random hints.
        record: Whether the answer is logged.
    """

    services: Services
    domain: str
    policy: HintChoice
    model: str
    seed: int
    record: bool

    @property
    def settings(self) -> Settings:
        """The settings behind the services."""
        return self.services.settings


async def resolve(runtime: Runtime[Any]) -> Call:
    """Fill the gaps of a run's context: caller before settings before defaults.

    Inside a foreign graph the context is that graph's own object, and without one it is `None`;
    both simply leave more gaps to fill.

    Args:
        runtime: As LangGraph hands it to a node.

    Raises:
        Re2llmError: The database or the model cannot be had.
    """
    context = _context(runtime.context)
    services = await shared_services()
    settings = services.settings
    return Call(
        services=services,
        domain=context.domain or settings.domain,
        policy=context.policy or settings.policy,
        model=context.model or settings.model,
        seed=settings.seed if context.seed is None else context.seed,
        record=context.record,
    )


def _context(given: object) -> Context:
    if isinstance(given, Context):
        return given
    if isinstance(given, dict):
        options = cast("dict[str, Any]", given)
        names = {field.name for field in fields(Context)}
        return Context(**{name: value for name, value in options.items() if name in names})
    return Context()
