"""Rolling releases out with a `Re2llm` object's database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..operations.rollout_results import RolloutShown
from ..operations.rollouts import promote_canary, show_canary, start_canary, stop_canary
from ..policies.rollout.plan import Plan
from ..runtime.options import Context


class AsyncRollouts(ABC):
    """What tries a release on live traffic."""

    @abstractmethod
    def context(self, **options: Any) -> Context:
        """Return a context that runs on the object's database and models."""

    async def astart_canary(
        self, release: int, *, domain: str | None = None, **plan: Any
    ) -> RolloutShown:
        """Serve a release to a part of all people; it goes on by itself if it proves itself.

        Args:
            release: Its number.
            domain: The catalogue; `None` takes the object's.
            **plan: Fields of `re2llm.policies.rollout.plan.Plan`, such as `steps` and `hold`.

        Raises:
            Re2llmError: The plan cannot be carried out, there is no such release, it is active or
                does not fit, or another one is being rolled out.
        """
        given = Plan.asked(plan)
        return await start_canary(self.context(), release, domain=domain, plan=given)

    async def ashow_canary(
        self, *, domain: str | None = None, release: int | None = None
    ) -> RolloutShown:
        """Show how far the live or last rollout is, why, and what it rests on.

        Args:
            domain: The catalogue; `None` takes the object's.
            release: The latest of this release; `None` of all.

        Raises:
            Re2llmError: There was none.
        """
        return await show_canary(self.context(), domain=domain, release=release)

    async def astop_canary(self, *, domain: str | None = None) -> RolloutShown:
        """Serve the active release to everybody again.

        Args:
            domain: The catalogue; `None` takes the object's.

        Raises:
            Re2llmError: No release is being rolled out.
        """
        return await stop_canary(self.context(), domain=domain)

    async def apromote_canary(self, *, domain: str | None = None) -> RolloutShown:
        """Activate the release that is being rolled out, whatever its figures.

        Args:
            domain: The catalogue; `None` takes the object's.

        Raises:
            Re2llmError: No release is being rolled out.
        """
        return await promote_canary(self.context(), domain=domain)
