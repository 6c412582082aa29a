"""The ranking prompt of a resolved request."""

from __future__ import annotations

from itertools import islice
from typing import cast

from langchain_core.messages import AIMessage, BaseMessage

from ..llm.prompt_data import inert
from ..llm.ranking_answers.answers import WANTED
from ..llm.ranking_prompts.ranking_prompt import RankingTask
from ..llm.ranking_prompts.recipes import RECIPES, Recipe
from ..records import AttributeValue, Item
from ..runtime.options import RunOptions
from .given import given_texts
from .item_views import item_of
from .shown_evidence import meanings
from .state import RecommendState

_SHORT_HISTORY = 5
"""Items of the history that a shortened prompt shows."""
_SHORT_TITLE, _SHORT_TEXT, _SHORT_LIST = 100, 40, 3
"""Characters of a title and of a fact, and entries of a list, in a shortened prompt."""
_SHORT_FACTS = 100
"""Attributes of an item that a shortened prompt considers."""


def ranking_prompt(
    state: RecommendState, options: RunOptions, *, hinted: bool = True, short: bool = False
) -> list[BaseMessage]:
    """Write the prompt of a resolved request.

    Args:
        hinted: Whether to give the hints.
        short: Whether to show less of the history and of each item, for a model that reads little.
    """
    history, listed = [*map(item_of, state["history_items"])], candidates(state)
    if short:
        history = history[-_SHORT_HISTORY:]
        history, listed = ([_shortened(item) for item in items] for items in (history, listed))
    task = RankingTask(
        history=history,
        candidates=listed,
        evidence=state["evidence"][: prompt_size(state)],
        evidence_meaning=meanings(options),
        hint=given_texts(state) if hinted else None,
        wanted=wanted(state),
    )
    return recipe_of(state, options).messages(task)


def wanted(state: RecommendState) -> int:
    """Return how many of the best candidates the model is asked to name."""
    return max(WANTED, state.get("shown", WANTED))


def recipe_of(state: RecommendState, options: RunOptions) -> Recipe:
    """Return the recipe by which a request was asked, or else will be."""
    name = state.get("recipe")
    return RECIPES[name] if name else options.prompt


def conversation(state: RecommendState, options: RunOptions) -> list[BaseMessage]:
    """Return a prompt with its answer, to talk about: a letter as the list that it stands for."""
    answer = state["answer"]
    recipe = recipe_of(state, options)
    if recipe.name == "letters":
        state = cast("RecommendState", {**state, "recipe": "json"})
        listed = candidates(state)
        numbers = recipe.read(answer, listed).numbers or tuple(range(1, len(listed) + 1))
        answer = RECIPES["json"].write(numbers[:WANTED], listed, ())
    return [*ranking_prompt(state, options), AIMessage(inert(answer))]


def candidates(state: RecommendState) -> list[Item]:
    """Return the candidates that the prompt lists, in the order of their numbers."""
    return [item_of(view) for view in state["candidate_items"][: prompt_size(state)]]


def prompt_size(state: RecommendState) -> int:
    """Return how many candidates the prompt lists."""
    return state.get("reranked", len(state["candidate_items"]))


def _shortened(item: Item) -> Item:
    """Return an item with its short attributes alone, and the first few of their entries."""
    facts: dict[str, AttributeValue] = {}
    for name, value in islice(item.attributes.items(), _SHORT_FACTS):
        if isinstance(value, str | int | float):
            fits = len(str(value)) <= _SHORT_TEXT
            facts |= {name: value} if fits else {}
        else:
            facts[name] = [part[:_SHORT_TEXT] for part in value[:_SHORT_LIST]]
    return Item(item.id, item.title[:_SHORT_TITLE], facts)
