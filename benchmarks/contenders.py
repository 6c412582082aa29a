"""Ways to use a number of model calls to make a model recommend better, all with our own parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from .gepa_hint import gepa_hint
from .learning_runs import DOMAIN, Counter, forget

if TYPE_CHECKING:
    from re2llm.knowledge.hint_store.hints import Hint
    from re2llm.ranking.state import RecommendState
    from re2llm.records import Session
    from re2llm.runtime.context import Context
    from re2llm.runtime.options import RunOptions

NAMES = ("none", "static", "playbook", "gepa", "ppo-1", "ppo-set")
LEARNING_SHARE = 0.5
"""Of the calls of a contender that trains a policy."""
SET = 3
_FEWEST_SESSIONS, _CELLS_OF_SETS = 20, 3

Choose = Callable[["RecommendState"], Awaitable[Sequence["Hint"]]]


@dataclass(frozen=True)
class Prepared:
    """A contender that is ready to rank.

    Attributes:
        choose: Returns the hints to give to a session.
        spent: What it has paid, by stage; together, all calls until now.
        note: What a reader should know about this run.
    """

    choose: Choose
    spent: dict[str, int]
    note: str = ""


async def prepare(name: str, calls: int, seed: int, counter: Counter) -> Prepared:
    """Let a contender spend a number of model calls on training sessions, from nothing."""
    await forget()
    if name == "none":
        return Prepared(_nothing, {})
    if name == "gepa":
        return await _gepa(calls, seed)
    if name in {"static", "playbook"}:
        learned = await _learn(calls, seed)
        choose = _by_policy("static", seed, 1) if name == "static" else _playbook(seed)
        return Prepared(choose, {"learn": learned})
    learned = await _learn(round(calls * LEARNING_SHARE), seed)
    if not await _hints(seed):  # nothing to choose from yet
        learned += await _learn(calls - learned, seed)
    most, before = 1 if name == "ppo-1" else SET, counter.calls
    reported, note = await _train(calls - learned, seed, most)
    # A training that is stopped by its budget reports nothing.
    trained = counter.calls - before if reported is None else reported
    return Prepared(_by_policy("ppo", seed, most), {"learn": learned, "train": trained}, note)


def context_of(seed: int, **more: Any) -> Context:
    """Return the options that all contenders share: the model alone ranks."""
    from re2llm.runtime.context import Context

    return Context(domain=DOMAIN, seed=seed, fuse="llm", record=False, **more)


async def _nothing(_: RecommendState) -> Sequence[Hint]:
    return ()


async def _gepa(calls: int, seed: int) -> Prepared:
    from re2llm.knowledge.hint_store.hints import UNSTORED, Hint
    from re2llm.runtime.budget import Budget
    from re2llm.runtime.options import resolve_context

    budget = Budget(max_llm_calls=calls)
    options = await resolve_context(context_of(seed, budget=budget))
    text, reflections = await gepa_hint(options, seed)
    given = [Hint(UNSTORED, text, "pending")] if text else []

    async def choose(_: RecommendState) -> Sequence[Hint]:
        return given

    spent = {"rollouts": budget.llm_calls - reflections, "reflection": reflections}
    return Prepared(choose, spent, text)


async def _learn(calls: int, seed: int) -> int:
    """Learn hints, and return the calls that it has made."""
    from re2llm.operations.learning.learn import learn

    if calls < 1:
        return 0
    # One session after the other: of many at once, all would be half done when it is spent.
    learned = await learn(
        context_of(seed), max_hints=64, max_llm_calls=calls, concurrency=1, tidy=False
    )
    return learned.llm_calls


async def _hints(seed: int) -> int:
    from re2llm.operations.hints.manage import list_hints

    return len((await list_hints(context_of(seed), status="active")).hints)


async def _train(calls: int, seed: int, most: int) -> tuple[int | None, str]:
    """Train on as many sessions as the calls can pay for.

    Returns:
        The calls that it reports, and why there is no policy, if so.
    """
    from re2llm.errors import BudgetSpentError, InputError
    from re2llm.operations.training.train import train
    from re2llm.runtime.sharing import shared_services

    services = await shared_services()
    hints = await _hints(seed)
    if hints == 0 or calls < 1:
        return 0, "no hint, or no call, to train with"
    kept = services.settings
    cells = (1 + hints) * (_CELLS_OF_SETS if most > 1 and hints > 1 else 1)
    sessions = min(kept.train_sessions, max(_FEWEST_SESSIONS, calls // cells))
    services.settings = kept.model_copy(
        update={
            "max_hints": most,
            "train_sessions": sessions,
            "train_panel": min(kept.train_panel, sessions // 2),
        }
    )
    try:
        trained = await train(context_of(seed), max_llm_calls=calls, force=True)
    except BudgetSpentError:
        return None, "the budget was spent before a policy was trained: the best hint is given"
    except InputError as error:
        return None, f"not trained: {error.problem}"
    finally:
        services.settings = kept
    return trained.llm_calls, ""


def _by_policy(name: Any, seed: int, most: int) -> Choose:
    async def choose(state: RecommendState) -> Sequence[Hint]:
        from re2llm.ranking.choosers import CHOOSERS
        from re2llm.runtime.options import resolve_context

        options = await resolve_context(context_of(seed))
        kept = options.services.settings
        options.services.settings = kept.model_copy(update={"max_hints": most})
        try:
            return (await CHOOSERS[name](state, options)).hints
        finally:
            options.services.settings = kept

    return choose


def _playbook(seed: int) -> Choose:
    found: list[Hint] | None = None

    async def choose(_: RecommendState) -> Sequence[Hint]:
        nonlocal found
        if found is None:
            from re2llm.operations.hints.manage import list_hints

            listed = (await list_hints(context_of(seed), status="active")).hints
            found = [_hint(one.id, one.text) for one in listed]
        return found

    return choose


def _hint(number: int, text: str) -> Hint:
    from re2llm.knowledge.hint_store.hints import Hint

    return Hint(number, text, "active")


async def states_of(sessions: Sequence[Session], options: RunOptions) -> list[RecommendState]:
    """Gather what ranking test sessions needs; nothing of them is stored."""
    from re2llm.knowledge.domains import find_domain
    from re2llm.ranking.gather import gather

    states: list[RecommendState] = []
    async with options.services.engine.connect() as connection:
        domain = await find_domain(connection, DOMAIN)
    for session in sessions:
        request: Any = {
            "history": list(session.history),
            "target": session.target,
            "candidates": list(session.candidates or ()) or None,
        }
        gathered = await gather(domain, request, options)
        states.append(cast("RecommendState", {**request, **gathered}))
    return states


async def ranked(
    contender: Prepared, states: Sequence[RecommendState], seed: int
) -> list[tuple[float, int, int]]:
    """Rank test sessions as a contender has learned to.

    Returns:
        For each session NDCG@10, how many hints were given, and their characters.
    """
    from re2llm.ranking.hints.trials import try_hint
    from re2llm.runtime.options import resolve_context

    options = replace(await resolve_context(context_of(seed)), budget=None)
    found: list[tuple[float, int, int]] = []
    for state in states:
        # What a policy sees never holds what came next.
        seen = cast("RecommendState", {k: v for k, v in state.items() if k != "target"})
        hints = await contender.choose(seen)
        trial = await try_hint(state, hints or None, options)
        found.append((trial.ndcg, len(hints), sum(len(hint.text) for hint in hints)))
    return found
