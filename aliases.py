"""Old import names of version 0.1, which still work in 0.2 and warn.

`re2llm.agents.chat` is `re2llm.interfaces.chat` now, and so on.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ROOT = __name__.rpartition(".")[0]

RENAMED: Mapping[str, str] = {
    "agents": "interfaces",
    "agents.auth": "interfaces.auth",
    "agents.callers": "interfaces.key_rules",
    "agents.chat": "interfaces.chat",
    "agents.descriptions": "interfaces.descriptions",
    "agents.host": "interfaces.host",
    "agents.http_app": "interfaces.http_app",
    "agents.learning": "operations.learning.from_feedback",
    "agents.mcp_server": "interfaces.mcp_server",
    "agents.operations": "operations.recommending.recommend",
    "agents.reasons": "operations.recommending.reasons",
    "agents.results": "operations.results",
    "agents.subgraph": "interfaces.subgraph",
    "agents.titles": "operations.catalogue.titles",
    "agents.tools": "interfaces.tools",
    "evaluation.baselines.popularity": "evaluation.baselines.simple",
    "evaluation.baselines.random_order": "evaluation.baselines.simple",
    "evaluation.baselines.ranking": "evaluation.baselines.base",
    "evaluation.oracle": "evaluation.summary",
    "evaluation.rating_baselines": "rating.baselines",
    "knowledge.claims": "knowledge.locks",
    "knowledge.embedded": "knowledge.embedded_postgres.database",
    "knowledge.embedding_column": "knowledge.schema.embedding_column",
    "knowledge.evidence": "knowledge.sessions.evidence",
    "knowledge.feedback": "knowledge.log.feedback",
    "knowledge.hint_figures": "knowledge.hint_store.stats",
    "knowledge.hints": "knowledge.hint_store.hints",
    "knowledge.keys": "knowledge.access.keys",
    "knowledge.lineage": "knowledge.hint_store.lineage",
    "knowledge.llm_calls": "knowledge.log.llm_calls",
    "knowledge.recommendations": "knowledge.log.recommendations",
    "knowledge.reflections": "knowledge.hint_store.reflections",
    "knowledge.shortlist": "knowledge.hint_store.shortlist",
    "knowledge.tables": "knowledge.schema.tables",
    "knowledge.time_order": "knowledge.sessions.time_order",
    "knowledge.title_search": "knowledge.titles.search",
    "knowledge.training_sessions": "knowledge.sessions.training_sessions",
    "knowledge.trials": "knowledge.hint_store.trials",
    "llm.answers": "llm.ranking_answers.answers",
    "llm.breaker": "llm.client.breaker",
    "llm.chat_prompt": "llm.chat.prompt",
    "llm.embedding_cache": "llm.embedding.cache",
    "llm.embeddings": "llm.embedding.embeddings",
    "llm.endpoint": "llm.client.endpoint",
    "llm.factory": "llm.client.factory",
    "llm.failures": "llm.errors.failures",
    "llm.hint_answers": "llm.hints.answers",
    "llm.json_values": "llm.text.json_values",
    "llm.limits": "llm.client.limits",
    "llm.offline.channels": "llm.offline.features",
    "llm.paper_prompt": "llm.ranking_prompts.paper_prompt",
    "llm.ranking_prompt": "llm.ranking_prompts.ranking_prompt",
    "llm.rating_answers": "llm.ratings.answers",
    "llm.rating_prompt": "llm.ratings.prompt",
    "llm.recipes": "llm.ranking_prompts.recipes",
    "llm.reflection_prompt": "llm.hints.reflection_prompt",
    "llm.retry": "llm.client.retry",
    "llm.title_answers": "llm.ranking_answers.title_answers",
    "llm.title_match": "llm.ranking_answers.title_match",
    "nodes.background": "runtime.background",
    "nodes.budget": "runtime.budget",
    "nodes.chat_call": "runtime.chat_call",
    "nodes.check_rating": "nodes.rating.check",
    "nodes.context": "runtime.options",
    "nodes.figures": "ranking.hints.stats",
    "nodes.fusion": "ranking.orders",
    "nodes.ledger": "runtime.ledger",
    "nodes.model_call": "runtime.model_call",
    "nodes.outage": "runtime.outages",
    "nodes.predict_rating": "nodes.rating.predict",
    "nodes.prepare_rating": "nodes.rating.prepare",
    "nodes.rating_state": "nodes.rating.state",
    "nodes.repeats": "ranking.hints.repeats",
    "nodes.rewards": "ranking.hints.rewards",
    "nodes.services": "runtime.services",
    "nodes.serving": "ranking.served_policy",
    "nodes.sharing": "runtime.sharing",
    "nodes.state": "ranking.state",
    "nodes.trace_rating": "rating.traces",
    "nodes.trials": "ranking.hints.trials",
    "policies.content_policy": "policies.networks",
    "policies.layers": "policies.networks",
    "policies.learner": "policies.training",
    "policies.paper_policy": "policies.networks",
    "policies.ppo_trainer": "policies.ppo",
    "policies.rater_arguments": "rating.training.trainer",
    "policies.rater_config": "rating.training.config",
    "policies.rater_curve": "rating.training.curve",
    "policies.rater_generation": "rating.training.checkpoint",
    "policies.rater_trainer": "rating.training.trainer",
    "policies.rating_rewards": "rating.rewards",
    "policies.threads": "policies.reproducible",
    "policies.tiny_rater": "rating.training.tiny_model",
    "sessions": "data",
    "sessions.amazon": "data.amazon",
    "sessions.day_sessions": "data.day_sessions",
    "sessions.hetrec": "data.hetrec",
    "sessions.json_rows": "data.json_rows",
    "sessions.jsonl": "data.jsonl",
    "sessions.lines": "data.files",
    "sessions.malformed": "data.malformed",
    "sessions.movielens": "data.movielens",
    "sessions.negatives": "data.negatives",
    "sessions.readers": "data.readers",
    "sessions.review_splits": "rating.splits",
    "sessions.reviews": "rating.reviews",
    "sessions.sample": "data.sample",
    "sessions.sample_reviews": "rating.sample",
    "sessions.session_file": "data.session_file",
    "sessions.tables": "data.tables",
    "sessions.titles": "data.titles",
}
"""Old module to new module, within the package."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "agents.callers": {
        "NotesNamedIds": "interfaces.named_ids.NotesNamedIds",
        "was_named": "interfaces.named_ids.was_named",
    },
    "agents.results": {
        "ListedHint": "operations.hints.results.ListedHint",
        "ListedHints": "operations.hints.results.ListedHints",
        "Rated": "operations.rating.results.Rated",
        "RatingReasons": "operations.rating.results.RatingReasons",
    },
    "knowledge.claims": {"Claims": "AdvisoryLocks"},
    "knowledge.hint_figures": {"refresh_figures": "refresh_stats"},
    "knowledge.trials": {name: f"rank_metrics.{name}" for name in ("CUTOFF", "hit_ranks", "ndcg")},
    "llm.offline.channels": {"Channel": "Feature", "build_channels": "build_features"},
    "nodes.context": {"Call": "RunOptions", "call_with": "resolve_context"},
    "nodes.figures": {"update_figures": "update_stats"},
    "nodes.outage": {"Outages": "OutageGuard"},
    "nodes.serving": {"hint_set_version": "ranking.policy_inputs.hint_set_version"},
}
"""By old module, what its contents are called, with the module if they have left it."""


class _AliasFinder(MetaPathFinder, Loader):
    """Finds an old module's name and loads what it is called now."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load an old name, or `None` for any other."""
        del path, target
        root, _, name = fullname.partition(".")
        if root != _ROOT or name not in RENAMED:
            return None
        package = any(old.startswith(f"{name}.") for old in RENAMED)
        return ModuleSpec(fullname, self, is_package=package)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let Python make an empty module."""
        del spec

    def exec_module(self, module: ModuleType) -> None:
        """Let the module look its contents up in the new one."""
        old = module.__name__.partition(".")[2]
        new = f"{_ROOT}.{RENAMED[old]}"
        warnings.warn(
            f"{module.__name__} is called {new} since version 0.2; the old name goes with 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        names = _NAMES.get(old, {})

        def find(name: str) -> Any:
            place, _, called = names.get(name, name).rpartition(".")
            return getattr(import_module(f"{_ROOT}.{place}" if place else new), called)

        module.__dict__["__getattr__"] = find
        module.__doc__ = import_module(new).__doc__


def install() -> None:
    """Let Python find the old names, after everything that exists."""
    if not any(isinstance(finder, _AliasFinder) for finder in sys.meta_path):
        sys.meta_path.append(_AliasFinder())
