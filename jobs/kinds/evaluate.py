"""Evaluating as a job: a piece asks all questions about one session, which are then paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import InputError
from ...evaluation.defaults import NEGATIVES
from ...knowledge.catalogue import item_ids
from ...operations.database import in_domain
from ...operations.evaluation.evaluate import check_names, default_policies, evaluate
from ...operations.evaluation.experiment import Experiment
from ...operations.evaluation.held_out import held_out_sessions
from ...records import Session
from ...runtime.context import Context
from ...runtime.model_call import keeps_answers
from ...runtime.options import RunOptions, resolve_context
from .base import Arguments, Finished, Plan, Work


class Evaluate:
    """Compares hint policies and baselines on sessions whose next item is known."""

    reflects = False

    async def prepare(self, options: RunOptions, arguments: Arguments) -> dict[str, Any]:
        """Read the sessions: a worker on another machine has not the file."""
        policies, baselines = arguments.get("policies"), arguments["baselines"]
        check_names(policies, baselines, nothing_else=True)
        endpoint = await options.services.models.endpoint(options.model)
        if not endpoint.local and not keeps_answers(endpoint, options):
            raise InputError(
                "detach",
                "Answers cannot be used again with these settings.",
                "Set RE2LLM_TEMPERATURE=0 and RE2LLM_CALL_CACHE=true, or leave `detach` out.",
            )
        async with in_domain(options) as (connection, domain):
            known = await item_ids(connection, domain)
        ranked, notes = await held_out_sessions(
            arguments["sessions"],
            known,
            negatives=arguments.get("negatives") or NEGATIVES,
            seed=options.seed,
            skip_malformed=bool(arguments.get("skip_malformed")),
        )
        return {
            "sessions": [
                {
                    "history": list(session.history),
                    "target": session.target,
                    "candidates": list(session.candidates or ()),
                }
                for session in ranked
            ],
            "policies": list(await default_policies(options) if policies is None else policies),
            "baselines": list(baselines),
            "oracle": bool(arguments.get("oracle")),
            "permutations": arguments.get("permutations") or 1,
            "notes": notes,
            "concurrency": arguments.get("concurrency"),
        }

    async def plan(self, work: Work) -> Plan:
        """Take every session, unless the model runs in the process: then asking ahead is no use."""
        options = await resolve_context(work.context)
        local = (await options.services.models.endpoint(options.model)).local
        return Plan([] if local else list(range(len(work.arguments["sessions"]))))

    async def do(self, work: Work, piece: int) -> Mapping[str, int]:
        """Ask all questions about one session; the ledger keeps the answers."""
        asking = replace(_alone(work), command="evaluate")
        experiment = Experiment(asking, [_session(work.arguments["sessions"][piece])])
        await experiment.ask_now(
            work.arguments["policies"],
            permutations=work.arguments["permutations"],
            oracle=work.arguments["oracle"],
        )
        return {}

    async def finish(self, work: Work) -> Finished:
        """Rank all sessions with the answers that are paid for."""
        found = await evaluate(
            _alone(work),
            [_session(one) for one in work.arguments["sessions"]],
            policies=work.arguments["policies"],
            baselines=work.arguments["baselines"],
            oracle=work.arguments["oracle"],
            permutations=work.arguments["permutations"],
        )
        notes = [*work.arguments["notes"], *found.notes]
        return Finished({**found.document, "sessions": len(found.sessions), "notes": notes})


def _alone(work: Work) -> Context:
    """Return the context; a job of an earlier version may hold another for several orders."""
    several = work.arguments["permutations"] > 1
    return replace(work.context, fuse="llm") if several else work.context


def _session(document: Arguments) -> Session:
    return Session(tuple(document["history"]), document["target"], tuple(document["candidates"]))
