"""What has to be the same in all workers of a job."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

from ...knowledge.migrate import known_revisions
from ...llm.hints.reflection_prompt import REFLECTION_PROMPT_VERSION
from ...llm.ranking_prompts.recipes import RECIPES


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return the version of the code: package, schema and prompts. Reads files."""
    prompts = [*(recipe.version for recipe in RECIPES.values()), REFLECTION_PROMPT_VERSION]
    return f"{version('re2llm')}/{known_revisions()[-1]}/{'+'.join(prompts)}"
