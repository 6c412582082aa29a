"""Resolves the options of a run: what the caller has set, or else the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from langgraph.runtime import Runtime

from ..errors import InputError
from ..knowledge.hint_store.hints import clean_hint
from ..knowledge.prompted_model import PromptedModel
from ..knowledge.serving_state import ServingState
from ..knowledge.sessions.sources import LOCAL
from ..llm.ranking_prompts.letters import LETTERS
from ..llm.ranking_prompts.recipes import RECIPES, Recipe
from ..prompt_versions import PromptVersion
from ..settings import FuseMode, HintChoice, PromptOrder, PromptRecipe, RecipeName, Settings
from .budget import Budget
from .caller import Caller
from .context import Context
from .context_checks import checked, context_of, narrowed
from .questions import Questions
from .services import Services
from .sharing import shared_services


@dataclass(frozen=True, slots=True)
class RunOptions:
    """A run's options with every gap filled.

    Attributes:
        services: The process's database, models and caches.
        domain: The domain, if the request names none; empty for the only one there is.
        domains: Names of the domains that the run may know of; `None` for all.
        policy: How the hint is chosen.
        model: The ranking model.
        reflect_model: The model that reflects on misses and compares hints.
        prompt_choice: How the ranking is to be asked for; see `prompt`.
        fuse: What decides the order.
        prompt_order: How the prompt lists the candidates, unless the model alone ranks them.
        orders: In how many orders of the candidates it is asked for.
        order: Number of the order that comes first.
        reflection_batch: Misses that one reflection is about at most.
        seed: Seed of the candidates' order and of random hints.
        seeded: Whether the request or a setting gave it.
        record: Whether the answer is logged.
        in_rollout: Whether a live rollout may serve the answer, and counts it.
        hint_id: The hint to give, or `None` to let the policy choose.
        hint: The text to give as a hint, or `None`.
        budget: What may be spent on model calls, or `None` for no limit.
        caller: The API key that the run is for, or `None`.
        command: What the ledger books the calls under.
        questions: Collects the questions instead of asking them, or `None`.
        serving_state: The domain's, if it was read for this very request, or `None`.
        past_session: Whether a session of the past is ranked, to measure.
    """

    services: Services
    domain: str
    domains: frozenset[str] | None
    policy: HintChoice
    model: str
    reflect_model: str
    prompt_choice: PromptRecipe
    fuse: FuseMode
    prompt_order: PromptOrder
    orders: int
    order: int
    reflection_batch: int
    seed: int
    seeded: bool
    record: bool
    in_rollout: bool
    hint_id: int | None
    hint: str | None
    budget: Budget | None
    caller: Caller | None
    command: str
    questions: Questions | None = None
    serving_state: ServingState | None = None
    past_session: bool = False

    @property
    def owner(self) -> str:
        """Who pays for the run: the key's owner, empty without a key."""
        return "" if self.caller is None else self.caller.owner

    @property
    def source(self) -> str:
        """Where what the run stores comes from: the id of its API key, or `local`."""
        return LOCAL if self.caller is None else self.caller.key_id or "unknown"

    @property
    def key_id(self) -> str | None:
        """The API key that the run is for, by its id."""
        return None if self.caller is None else self.caller.key_id or None

    @property
    def job(self) -> str | None:
        """The job that the run is a part of."""
        return None if self.budget is None else self.budget.job

    @property
    def prompt(self) -> Recipe:
        """How the ranking is asked for, by what is known of the model until now."""
        return RECIPES[self._recipe()]

    def _recipe(self) -> RecipeName:
        if self.prompt_choice in {"json", "paper"}:
            return cast("RecipeName", self.prompt_choice)
        if self.fuse == "llm":
            return "json"  # the model ranks all candidates, and there may be more than letters
        known = self.services.models.gives_logprobs(self.model)
        return "letters" if known or (known is None and self.prompt_choice == "letters") else "json"

    @property
    def lacks_logprobs(self) -> bool:
        """Whether letters were wanted, and the model's server does not give what they need."""
        return (
            self.prompt_choice == "letters" and self.fuse != "llm" and self.prompt.name != "letters"
        )

    @property
    def rerank(self) -> int:
        """How many of the first stage's best candidates the model is asked about at most."""
        # Also where letters turn out not to work: until then, no more are listed.
        in_letters = self.prompt_choice in {"letters", "auto"} and self.fuse != "llm"
        return min(self.settings.rerank, len(LETTERS)) if in_letters else self.settings.rerank

    @property
    def asked_about(self) -> int | None:
        """Likewise; `None` where the model is asked about all candidates."""
        return None if self.fuse == "llm" else self.rerank

    @property
    def asks_model(self) -> bool:
        """Whether the ranking needs the model at all."""
        return self.fuse in {"learned", "llm"}

    @property
    def reflecting_option(self) -> str:
        """The option that names the model that reflects."""
        return "model" if self.reflect_model == self.model else "reflect_model"

    def require_model(self) -> None:
        """Check that the ranking needs the model, before something is learned from it.

        Raises:
            InputError: The first stage decides alone.
        """
        if not self.asks_model:
            raise InputError(
                "fuse",
                f"With {self.fuse!r} no model is asked, so nothing can be learned from it.",
                "Use `fuse` learned or llm, or set RE2LLM_FUSE.",
            )

    @property
    def prompt_version(self) -> str:
        """What trials and releases are marked with: all that changes what the model is asked."""
        return self.version_of(self.prompt)

    @property
    def prompted_model(self) -> PromptedModel:
        """The ranking model and its prompt, by which all is stored that is learned of hints."""
        return PromptedModel(self.model, self.prompt_version)

    def version_of(self, recipe: Recipe) -> str:
        """Return the prompt version of what was asked by a recipe."""
        alone = self.fuse == "llm"
        version = PromptVersion(
            recipe.version,
            reranked=self.asked_about,
            shuffled=not alone and self.prompt_order == "shuffled",
            orders=self.orders,
            expected=alone and recipe.name == "json",
        )
        return str(version)

    @property
    def settings(self) -> Settings:
        """The settings behind the services."""
        return self.services.settings


async def resolve(runtime: Runtime[Any]) -> RunOptions:
    """Fill the gaps of a run's context: caller before settings before defaults.

    Inside a foreign graph the context is that graph's own object, and without one it is `None`;
    both simply leave more gaps to fill. A foreign context may carry ours as its `re2llm`.

    Raises:
        Re2llmError: The database or the model cannot be had.
    """
    return await resolve_context(narrowed(context_of(runtime.context), runtime))


async def resolve_context(context: Context) -> RunOptions:
    """Fill the gaps of a context, outside a graph.

    Raises:
        Re2llmError: An option cannot be used, or the database or the model cannot be had.
    """
    context = checked(context)
    own = context.services
    services = await (shared_services() if own is None else own.get())
    settings = services.settings
    model = context.model or settings.model
    domains = None if context.domains is None else frozenset(context.domains)
    prompt_choice = context.prompt or settings.prompt
    if prompt_choice in {"letters", "auto"}:
        await services.models.recall_logprobs(model)
    return RunOptions(
        services=services,
        domain=context.domain or _default(settings.domain, domains),
        domains=domains,
        policy=context.policy or settings.policy,
        model=model,
        reflect_model=context.reflect_model or settings.reflect_model or model,
        prompt_choice=prompt_choice,
        fuse=context.fuse or settings.fuse,
        prompt_order=context.prompt_order or settings.prompt_order,
        orders=context.orders or settings.orders,
        order=context.order,
        reflection_batch=context.reflection_batch or settings.reflection_batch,
        seed=settings.seed if context.seed is None else context.seed,
        seeded=context.seed is not None or "seed" in settings.model_fields_set,
        record=context.record,
        in_rollout=context.in_rollout,
        hint_id=context.hint_id,
        hint=clean_hint(context.hint, "hint") if context.hint else None,
        budget=context.budget,
        caller=context.caller,
        command=context.command,
        questions=context.questions,
        serving_state=context.serving_state,
        past_session=context.past_session is not None,
    )


def _default(domain: str | None, domains: frozenset[str] | None) -> str:
    """Return the domain of a request that names none; empty for the only one there is."""
    if domains is None:
        return domain or ""
    if len(domains) == 1:
        return next(iter(domains))
    return domain if domain is not None and domain in domains else ""
