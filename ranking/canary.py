"""Lets a rollout's release choose as well as the active one, and says which of the two serves."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError

from ..errors import DatabaseError, ReleaseMisfitError
from ..knowledge.rollouts.rollouts import Rollout
from ..policies.fusion import Fusion
from ..policies.rollout.assignment import place_of, probability_of, pseudonym
from .chosen import Chosen
from .state import Assignment, RecommendState

_log = logging.getLogger(__name__)


Choose = Callable[[], Awaitable[Chosen]]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A choice, and how much the model's opinion counts with it.

    Attributes:
        chosen: The choice; no hint where no model reads it.
        fusion: How much the model's opinion counts.
        asks: Whether the model is asked.
    """

    chosen: Chosen
    fusion: Fusion
    asks: bool

    def ranks_as(self, other: Weighed) -> bool:
        """Return whether another choice gives the same ranking, whatever the model says."""
        if not (self.asks or other.asks):
            return True
        mine, others = ((one.asks, one.chosen.choice) for one in (self, other))
        return mine == others and self.fusion.ranks_as(other.fusion)


async def with_canary(
    rollout: Rollout, state: RecommendState, control: Chosen, choose: Choose
) -> Chosen:
    """Return the choice that serves: the active release's, or that of the rollout's release.

    Both choose on every request, whichever serves; a shadow step is a share of 0.
    `with_comparison` adds what both say together, once it is known how much the model counts for
    each.

    Args:
        rollout: The live rollout.
        state: The request's state.
        control: What serves without the rollout.
        choose: Lets the rollout's release choose. A failure of it never fails the request.

    Raises:
        ReleaseMisfitError: The request is for another model or prompt than the release, which says
            nothing about it.
    """
    person = person_of(state)
    share = rollout.percent / 100
    canary = place_of(rollout.salt, person) < share
    assignment: Assignment = {
        "rollout": rollout.id,
        "number": rollout.number,
        "release": rollout.release,
        "step": rollout.step,
        "percent": rollout.percent,
        "canary": canary,
        "probability": share if canary else 1 - share,
        "person": pseudonym(rollout.salt, person).hex(),
        "differs": False,
        "failed": False,
    }
    try:
        other = await choose()
    except (OSError, SQLAlchemyError, DatabaseError):
        raise  # the database is lost, for both alike
    except ReleaseMisfitError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever is wrong with the release, control serves
        _log.warning(
            "release %d of a rollout failed to choose: %s", rollout.release, type(error).__name__
        )
        failed: Assignment = {**assignment, "failed": True, "error": type(error).__name__}
        return replace(control, assignment=failed)
    serving, shadow = (other, control) if canary else (control, other)
    return replace(serving, assignment=assignment, beside=shadow)


def with_comparison(serving: Weighed, shadow: Weighed | None, assignment: Assignment) -> Chosen:
    """Return the choice that serves a rollout's request, with what is logged of both releases.

    The log then says whether the two releases differ, and the hint's probability is that over both.

    Args:
        serving: What serves.
        shadow: What the other release would have served; `None` if it failed to choose.
        assignment: The assignment from `with_canary`.
    """
    chosen = serving.chosen
    if shadow is None:
        return replace(chosen, assignment={**assignment, "both_ask": serving.asks})
    other = shadow.chosen.likelihood(chosen.choice)
    noted: Assignment = {
        **assignment,
        "differs": not serving.ranks_as(shadow),
        "both_ask": serving.asks and shadow.asks,
    }
    probability = probability_of(chosen.probability, other, assignment["probability"])
    return replace(chosen, probability=probability, assignment=noted)


def person_of(state: RecommendState) -> str:
    """Return who a request is from: its `user`, or its session without one."""
    user = state.get("requester")
    # Without a person's name, sessions of the same items get the same release.
    return f"user:{user}" if user else "session:" + "\x1f".join(state["history"])
