"""A policy release that is ready to choose hints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ReleaseMisfitError, ReleaseModeMisfitError
from ..knowledge.hint_store.hints import Hint, HintAndEmbedding
from ..knowledge.log.feedback import HintChosen
from ..knowledge.prompted_model import PromptedModel
from ..knowledge.releases import Release
from ..knowledge.trained_hints import TrainedHints
from ..llm.embedding.encoder import ENCODER_ID
from ..policies.actors import HintActor
from ..policies.hint_features import HintFeatures
from ..policies.hint_policy import action_probabilities
from ..policies.set_policy import (
    Picked,
    drawn_picks,
    greedy_picks,
    most_hints,
    pick,
    set_probability,
)
from ..policies.sets import hint_sets
from ..policies.weights import load_policy
from ..prompt_versions import PromptVersion
from .chosen import choice_of
from .policy_inputs import hint_features, paper_features, session_state
from .state import RecommendState

_DRAWS = 256
"""Drawn sets that represent all sets that a policy may draw."""


@dataclass(frozen=True, slots=True)
class ServedPolicy:
    """A release that is ready to choose.

    Attributes:
        number: The release's number.
        release: What it must be served with.
        actor: What chooses.
        choice: The hints that it may give; `None` if it may give any.
    """

    number: int
    release: Release
    actor: HintActor
    choice: TrainedHints | None = None

    def pick(
        self,
        state: RecommendState,
        hints: Sequence[HintAndEmbedding],
        *,
        most: int,
        explore_seed: int | None,
    ) -> tuple[list[Hint], Picked]:
        """Pick hints for a session, one after another.

        Args:
            most: Hints to pick at most; a policy that was trained to pick fewer picks fewer.
            explore_seed: Draws from the policy's probabilities; `None` takes the likeliest.

        Returns:
            The hints in the order in which they were picked, and with which probabilities.
        """
        acting, features = self._actions(hints)
        picked = pick(
            self.actor,
            session_state(state, self.release.recipe),
            features,
            most=most_hints(self.actor, most),
            explore_seed=explore_seed,
        )
        chosen = (acting[action - 1] for action in picked.actions)
        return [hint for hint in chosen if hint is not None], picked

    def likelihood(
        self,
        state: RecommendState,
        hints: Sequence[HintAndEmbedding],
        choice: HintChosen,
        *,
        most: int,
        sampled: bool,
    ) -> float:
        """Return the true probability of a choice.

        Args:
            choice: What was given, or may be.
            most: Hints to pick at most.
            sampled: Whether hints are drawn, as when exploring; else the likeliest has 1.
        """
        several = most_hints(self.actor, most)
        if several == 1 or not sampled:
            shares = self.choice_probabilities(state, hints, most=most, sampled=sampled)
            return shares.get(choice, 0.0)
        ids = [hint.id for hint, _ in hints]
        wanted = choice if isinstance(choice, tuple) else [choice] if choice is not None else []
        if not set(wanted) <= set(ids):
            return 0.0
        actions = [ids.index(number) + 1 for number in wanted]
        features, seen = hint_features(hints), session_state(state, self.release.recipe)
        return set_probability(self.actor, seen, features, actions, most=several)

    def choice_probabilities(
        self,
        state: RecommendState,
        hints: Sequence[HintAndEmbedding],
        *,
        most: int,
        sampled: bool,
    ) -> dict[HintChosen, float]:
        """Return how likely each choice is that may be made; the arguments are as for `likelihood`.

        For several hints that are drawn, it is the share of a few hundred draws.
        """
        most, seen = most_hints(self.actor, most), session_state(state, self.release.recipe)
        if most == 1:
            acting, features = self._actions(hints)
            shares = action_probabilities(self.actor, seen, features, sampled=sampled)
            # An output of the paper's network may belong to a hint that is retired.
            known = zip(acting, shares[1:], strict=True)
            given = {hint.id: float(share) for hint, share in known if hint is not None}
            return {None: float(shares[0]), **given}
        ids = [hint.id for hint, _ in hints]
        features = hint_features(hints)
        draws = drawn_picks(self.actor, seen, features, most, _DRAWS) if sampled else None
        picks = greedy_picks(self.actor, seen[None], features, most) if draws is None else draws
        found = Counter(choice_of([ids[action - 1] for action in row]) for row in hint_sets(picks))
        return {choice: count / len(picks) for choice, count in found.items()}

    def _actions(self, hints: Sequence[HintAndEmbedding]) -> tuple[list[Hint | None], HintFeatures]:
        if self.release.recipe != "paper":
            return [hint for hint, _ in hints], hint_features(hints)
        # Its outputs belong to the hints that it was trained on, in that order.
        known = {hint.id: hint for hint, _ in hints}
        active = np.array([number in known for number in self.release.hint_ids])
        acting = [known.get(number) for number in self.release.hint_ids]
        return acting, paper_features(self.release, active)


def load_release(number: int, release: Release, prompted_model: PromptedModel) -> ServedPolicy:
    """Rebuild a release's network. Blocks for milliseconds.

    Args:
        prompted_model: What gets the hints.

    Raises:
        ReleaseMisfitError: It was trained for another encoder, prompt or model.
    """
    misfit = misfit_of(number, release, prompted_model)
    if misfit is not None:
        raise misfit
    actor = load_policy(release.weights, release.config["policy"])
    return ServedPolicy(number, release, actor, TrainedHints.read(release.config))


def misfit_of(
    number: int, release: Release, prompted_model: PromptedModel
) -> ReleaseMisfitError | None:
    """Return why a release cannot serve, if it cannot; the arguments are as for `load_release`."""
    again = "Train again with `re2llm train`, or activate a release that fits."
    for field, trained, present in (
        ("encoder", release.encoder, ENCODER_ID),
        ("model", release.model, prompted_model.model),
    ):
        if trained != present:
            problem = f"Release {number} was trained for the {field} {trained!r}, not {present!r}."
            return ReleaseMisfitError("release", problem, again)
    version = prompted_model.prompt_version
    if release.prompt_version != version:
        return _other_prompt(number, release.prompt_version, version, again)
    return None


def _other_prompt(number: int, trained: str, present: str, again: str) -> ReleaseMisfitError:
    before, after = PromptVersion.parse(trained), PromptVersion.parse(present)
    (then, fuse), (now, _) = before.order_in_words(), after.order_in_words()
    showed_less = fuse == "llm" and after.expected and not before.expected
    if before.recipe != after.recipe or showed_less:
        problem = (
            f"Release {number} was trained with another wording of the prompt ({trained}; "
            f"it is {present} now)."
        )
        return ReleaseMisfitError("release", problem, again)
    wanted = f"RE2LLM_FUSE={fuse}"
    if then == now:
        then, now = f"the prompt is {trained}", f"it is {present}"
        wanted = "RE2LLM_PROMPT_ORDER and RE2LLM_ORDERS as they were then"
    problem = f"Release {number} was trained where {then}; now {now}."
    fix = f"To use it, set {wanted}. Or: {again[0].lower()}{again[1:]}"
    return ReleaseModeMisfitError("release", problem, fix)
