"""Training as a job: a piece tries every hint on one session, so that prompt caches help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...operations.sessions.selection import selected_sessions
from ...operations.training.activation import check_activation
from ...operations.training.few_cells import panel_size, tries_all_hints
from ...operations.training.panel import try_on_session
from ...operations.training.train import train
from ...operations.training.training_set import draw_training_set, require_enough_to_train
from ...policies.recipes import check_recipe
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import silent
from .base import Arguments, Finished, Plan, Work


class Train:
    """Trains the hint policy and releases it."""

    reflects = False

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Name the sessions of the files by their keys, and check that there is enough."""
        recipe = arguments.get("recipe") or "content"
        check_recipe(recipe)
        activate, force = bool(arguments.get("activate", True)), bool(arguments.get("force"))
        check_activation(activate=activate, force=force)
        options.require_model()
        files, keys = arguments.get("files"), arguments.get("keys")
        selected = await selected_sessions(options, files or (), keys)
        await require_enough_to_train(options, selected)
        return {
            "keys": selected if files else keys,
            "activate": activate,
            "recipe": recipe,
            "force": force,
            "every_cell": bool(arguments.get("every_cell")),
            "concurrency": arguments.get("concurrency"),
        }

    async def plan(self, work: Work) -> Plan:
        """Take the panel: the random sessions on which every hint is tried."""
        options = await resolve_context(_unseeded(work.context))
        keys = await selected_sessions(options, keys=work.arguments["keys"])
        drawn = await draw_training_set(options, keys, silent)
        hints = [hint.id for hint in drawn.hints]
        count = len(drawn.sessions)
        all_hints = tries_all_hints(
            count, options.settings, asked=work.arguments.get("every_cell", False)
        )
        size = panel_size(count, options.settings, all_hints=all_hints)
        return Plan(list(drawn.sessions[:size]), {"hints": hints})

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Try every hint on one session."""
        unanswered = await try_on_session(_unseeded(work.context), piece, work.shared["hints"])
        return {"unanswered": unanswered}

    async def finish(self, work: Work) -> Finished:
        """Try the best hints beyond the panel, and train."""
        trained = await train(
            work.context,
            keys=work.arguments["keys"],
            panel_hints=work.shared["hints"],
            recipe=work.arguments["recipe"],
            every_cell=work.arguments.get("every_cell", False),
            force=work.arguments["force"],
            activate=work.arguments.get("activate", True),
        )
        return Finished(trained.as_dict())


def _unseeded(context: Context) -> Context:
    """Return the context of trials: those of any seed are shared."""
    return replace(context, seed=None, command="train")
