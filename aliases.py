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
    "agents.callers": "interfaces.callers",
    "agents.chat": "interfaces.chat",
    "agents.descriptions": "interfaces.descriptions",
    "agents.host": "interfaces.host",
    "agents.http_app": "interfaces.http_app",
    "agents.mcp_server": "interfaces.mcp_server",
    "agents.subgraph": "interfaces.subgraph",
    "agents.tools": "interfaces.tools",
    "agents.learning": "operations.learn_from_feedback",
    "agents.reasons": "operations.reasons",
    "agents.results": "operations.results",
    "agents.titles": "operations.titles",
    "nodes.context": "runtime.options",
    "nodes.services": "runtime.services",
    "nodes.sharing": "runtime.sharing",
    "nodes.budget": "runtime.budget",
    "nodes.state": "ranking.state",
    "nodes.rating_state": "nodes.rating.state",
    "nodes.prepare_rating": "nodes.rating.prepare",
    "nodes.predict_rating": "nodes.rating.predict",
    "nodes.check_rating": "nodes.rating.check",
    "nodes.trials": "ranking.trials",
    "sessions": "data",
    "sessions.malformed": "data.malformed",
    "sessions.negatives": "data.negatives",
    "sessions.readers": "data.readers",
    "sessions.sample": "data.sample",
    "sessions.session_file": "data.session_file",
    "sessions.splits": "data.splits",
    "sessions.reviews": "rating.reviews",
    "sessions.review_splits": "rating.splits",
    "sessions.sample_reviews": "rating.sample",
    "knowledge.claims": "knowledge.locks",
}
"""Old module to new module, within the package."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "nodes.context": {"Call": "RunOptions", "call_with": "resolve_context"},
    "knowledge.claims": {"Claims": "AdvisoryLocks"},
}
"""By old module, what its contents were called."""


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
            return getattr(import_module(new), names.get(name, name))

        module.__dict__["__getattr__"] = find
        module.__doc__ = import_module(new).__doc__


def install() -> None:
    """Let Python find the old names, after everything that exists."""
    if not any(isinstance(finder, _AliasFinder) for finder in sys.meta_path):
        sys.meta_path.append(_AliasFinder())
