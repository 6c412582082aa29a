"""The training sessions to learn from, and how many of them at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError
from ...knowledge.first_stages import Forgotten
from ...knowledge.sessions.training_sessions import fewest_candidates
from ...llm.prices import call_cost
from ...rank_metrics import hit_ranks
from ...runtime.budget import Budget
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ...settings import Settings
from ..database import in_domain
from ..first_stage.fit import refit_first_stage
from ..sessions.enough import ENOUGH_SESSIONS
from ..sessions.selection import selected_sessions

_CALLS_FOR_A_HINT = 400
"""About how many calls it takes to verify a hint that helps; one that does not takes a tenth."""
_TOKENS_OF_A_CALL = 1_500, 50


def sessions_at_once(budget: Budget, settings: Settings, model: str) -> int:
    """Return how many sessions to learn from at once, so that each can have its hint tried.

    Args:
        budget: What the run may spend.
        model: The ranking model.
    """
    calls = math.inf if budget.max_llm_calls is None else budget.max_llm_calls
    price = call_cost(settings.prices, model, *_TOKENS_OF_A_CALL)
    if budget.max_cost is not None and price:
        calls = min(calls, budget.max_cost / price)
    return int(max(1, min(settings.concurrency, calls // _CALLS_FOR_A_HINT)))


async def sessions_to_learn_from(
    options: RunOptions,
    files: Sequence[Path] = (),
    keys: Sequence[int] | None = None,
    *,
    progress: Progress = silent,
) -> tuple[list[int], Forgotten]:
    """Return the keys of the sessions to learn from, and fit the first stage that is asked with.

    It also returns what was deleted with a former first stage.

    Args:
        files: As for `learn`; likewise the keys.

    Raises:
        InputError: There are none, the first stage decides alone, or none can be missed.
    """
    options.require_model()
    found = await selected_sessions(options, files, keys)
    if not found:
        raise InputError(
            "domain",
            f"{options.domain!r} has no training sessions to learn from.",
            f"Load some: re2llm load … --sessions FILE. About {ENOUGH_SESSIONS} are enough.",
        )
    if options.fuse == "learned":
        await _require_possible_misses(options)
        _, forgotten = await refit_first_stage(options, progress=progress)
        return found, forgotten
    return found, Forgotten()


async def _require_possible_misses(options: RunOptions) -> None:
    """Check that what the model is asked about reaches below the ranks that count as hits.

    Raises:
        InputError: It does not in any session, so none can be missed.
    """
    async with in_domain(options) as (connection, domain):
        fewest = await fewest_candidates(connection, domain.id)
    hits = hit_ranks(options.settings.candidates if fewest is None else fewest)
    if options.rerank <= hits:
        raise InputError(
            "RE2LLM_RERANK",
            f"The model is asked about the best {options.rerank} alone. Ranks up to "
            f"{hits} count as hits, so no session could be missed.",
            f"Set RE2LLM_RERANK above {hits}; the default is 20.",
        )
