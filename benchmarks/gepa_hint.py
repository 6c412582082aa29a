"""GEPA (arXiv 2507.19457) with one text component: the hint, which our reflection proposes.

The `gepa` package keeps the candidates, picks parents from its Pareto front, and accepts what is
better on a minibatch; its defaults are left as they are. A proposal is a reflection on the misses
of the minibatch; where the parent is a hint, the model joins the two as `hints improve` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from re2llm.ranking.hints.misses import Miss
    from re2llm.runtime.options import RunOptions

_Value = TypeVar("_Value")
_MINIBATCH = 3
"""GEPA's default."""
_SHARE = 10
"""The validation set takes a tenth of the budget, so that about ten candidates can be compared."""
_FEWEST, _MOST = 10, 300
_ITERATION = 2 * _MINIBATCH + 2
"""Calls of an iteration before its child is validated."""


class _Quiet:
    def log(self, message: str) -> None:
        """Say nothing."""


@dataclass
class _Adapter:
    """Ranks training sessions with a candidate, and proposes the next one.

    Attributes:
        options: Of the run; its budget counts.
        loop: In which questions are asked; GEPA works in a thread.
        validated: Mean NDCG@10 on the validation set, by text.
        reflections: Calls to the reflecting model.
    """

    options: RunOptions
    loop: asyncio.AbstractEventLoop
    validation: Sequence[int]
    validated: dict[str, float] = field(default_factory=dict[str, float])
    reflections: int = 0

    def evaluate(
        self, batch: list[int], candidate: dict[str, str], capture_traces: bool = False
    ) -> Any:
        """Rank sessions with a candidate's hint; as GEPA asks for it."""
        from gepa.core.adapter import EvaluationBatch

        found = [self._wait(self._ranked(key, candidate["hint"])) for key in batch]
        scores = [score for score, _ in found]
        misses = [miss for _, miss in found]
        if list(batch) == list(self.validation):
            self.validated[candidate["hint"]] = sum(scores) / len(scores)
        return EvaluationBatch(scores, scores, misses if capture_traces else None)

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002  # GEPA passes them by name
        eval_batch: Any,
        components_to_update: list[str],  # noqa: ARG002
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Hand the misses of a minibatch on."""
        misses = [{"miss": miss} for miss in eval_batch.trajectories if miss is not None]
        return {"hint": misses} if misses else {}

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],  # noqa: ARG002
    ) -> dict[str, str]:
        """Reflect on the misses, and join what comes of it with the parent."""
        misses = [row["miss"] for row in reflective_dataset.get("hint", ())]
        return {"hint": self._wait(self._proposed(candidate["hint"], misses))}

    def _wait(self, work: Coroutine[Any, Any, _Value]) -> _Value:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _ranked(self, key: int, text: str) -> tuple[float, Miss | None]:
        from re2llm.ranking.hints.misses import miss_of
        from re2llm.ranking.hints.trials import resolve_session, run_trial

        trial = await run_trial(self.options.domain, key, text or None, self.options)
        state = await resolve_session(self.options.domain, key, self.options)
        missed = trial.rank > 1
        miss = miss_of(state, key, trial.rank, trial.answer, self.options) if missed else None
        return trial.ndcg, miss

    async def _proposed(self, parent: str, misses: Sequence[Miss]) -> str:
        """Return a new text, or the parent where nothing usable was written."""
        from re2llm.errors import InputError
        from re2llm.knowledge.domains import find_domain
        from re2llm.knowledge.hint_store.hints import clean_hint
        from re2llm.llm.hints.improvement_prompt import improvement_messages
        from re2llm.llm.hints.reflection_prompt import batch_messages
        from re2llm.runtime.domain_cache import leak_filter_of

        if not misses:
            return parent
        text = await self._written(batch_messages([miss.shown for miss in misses]))
        if text and parent:
            text = await self._written(improvement_messages([parent, text], [])) or text
        try:
            text = clean_hint(text)
        except InputError:
            return parent
        services = self.options.services
        async with services.engine.connect() as connection:
            domain = await find_domain(connection, self.options.domain)
        leaks = await leak_filter_of(services, domain)
        return parent if leaks.leak(text) is not None else text

    async def _written(self, messages: Sequence[Any]) -> str:
        from re2llm.llm.hints.answers import HINTS, read_hints
        from re2llm.runtime.model_call import ask

        self.reflections += 1
        reply = await ask(messages, self.options, "reflect", answer_format=HINTS)
        return next(iter(read_hints(reply.text)), "")


async def gepa_hint(options: RunOptions, seed: int) -> tuple[str, int]:
    """Let GEPA write a hint within the budget of a run.

    Args:
        options: Of the run; its budget limits all calls.

    Returns:
        The text that was best on the validation set, empty for no hint; and the calls to the
        reflecting model.
    """
    import gepa
    from re2llm.errors import BudgetSpentError
    from re2llm.ranking.hints.panels import drawn_sessions

    budget = options.budget
    if budget is None or budget.max_llm_calls is None:
        raise ValueError("budget")
    size = min(_MOST, max(_FEWEST, budget.max_llm_calls // _SHARE))
    drawn = await drawn_sessions(options.domain, 10 * size, options)
    validation, training = drawn[:size], drawn[size:]
    adapter = _Adapter(options, asyncio.get_running_loop(), validation)

    def spent(_: Any) -> bool:
        left = (budget.max_llm_calls or 0) - budget.llm_calls
        return left < _ITERATION + size

    with suppress(BudgetSpentError):  # the stop leaves room for all that an iteration asks
        await asyncio.to_thread(
            gepa.optimize,  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            seed_candidate={"hint": ""},
            trainset=training,
            valset=validation,
            adapter=adapter,
            stop_callbacks=spent,
            reflection_minibatch_size=_MINIBATCH,
            logger=_Quiet(),
            seed=seed,
        )
    best = max(adapter.validated, key=adapter.validated.__getitem__, default="")
    return best, adapter.reflections
