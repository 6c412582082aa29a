"""Looking at releases of the hint policy, serving them and rolling them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..evaluation.off_policy import OffPolicyReport
from ..operations.releases.manage import (
    activate_release,
    list_releases,
    rollback_release,
    show_release,
)
from ..operations.releases.off_policy import evaluate_release
from ..operations.releases.results import ListedRelease, ListedReleases
from ..operations.releases.rollout_results import RolloutShown
from ..operations.releases.rollouts import promote_canary, show_canary, start_canary, stop_canary
from ..policies.rollout.plan import Plan
from ..runtime.context import Context
from ..runtime.progress import Progress, silent


class AsyncReleases(ABC):
    """What decides which release is served."""

    @abstractmethod
    def context(self, **options: Any) -> Context:
        """Return a context that runs on the object's database and models."""

    async def areleases(self, *, domain: str | None = None) -> ListedReleases:
        """List a domain's releases of the learned hint policy.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await list_releases(self.context(), domain=domain)

    async def ashow_release(self, release: int, *, domain: str | None = None) -> ListedRelease:
        """Show a release, without its weights.

        Args:
            release: Its number.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such release.
        """
        return await show_release(self.context(), release, domain=domain)

    async def aactivate_release(
        self, release: int, *, domain: str | None = None, force: bool = False
    ) -> ListedRelease:
        """Serve a release from now on.

        Args:
            release: Its number.
            domain: Its name; `None` takes the object's.
            force: Whether to do so even if it is worse than the active one.

        Raises:
            Re2llmError: There is no such release, it does not fit the model, or it is worse than
                the active one.
        """
        return await activate_release(self.context(), release, domain=domain, force=force)

    async def arollback_release(
        self, *, domain: str | None = None, active: int | None = None
    ) -> ListedRelease:
        """Serve the release again that was active before the current one.

        Args:
            domain: Its name; `None` takes the object's.
            active: The current one as far as you know; `None` takes whichever it is.

        Raises:
            Re2llmError: No other release was ever active, or another one than `active` is by now.
        """
        return await rollback_release(self.context(), domain=domain, active=active)

    async def aevaluate_release(
        self,
        release: int,
        *,
        domain: str | None = None,
        sampled: bool | None = None,
        progress: Progress = silent,
    ) -> OffPolicyReport:
        """Estimate from logged feedback the reward that a release would have had.

        Args:
            release: Its number; it need not be active.
            domain: Its name; `None` takes the object's.
            sampled: Whether it would sample its hints or take the most likely one; `None` takes the
                setting `explore`.
            progress: Called after each decision with the stage `decisions`.

        Raises:
            Re2llmError: There is no such release, or the log says nothing about it.
        """
        return await evaluate_release(
            self.context(), release, domain=domain, sampled=sampled, progress=progress
        )

    async def astart_canary(
        self, release: int, *, domain: str | None = None, **plan: Any
    ) -> RolloutShown:
        """Serve a release to a part of all people; it goes on by itself if it proves itself.

        Args:
            release: Its number.
            domain: Its name; `None` takes the object's.
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
            domain: Its name; `None` takes the object's.
            release: The latest of this release; `None` of all.

        Raises:
            Re2llmError: There was none.
        """
        return await show_canary(self.context(), domain=domain, release=release)

    async def astop_canary(
        self, *, domain: str | None = None, release: int | None = None
    ) -> RolloutShown:
        """Serve the active release to everybody again.

        Args:
            domain: Its name; `None` takes the object's.
            release: The one whose rollout is meant; `None` is whichever is live.

        Raises:
            Re2llmError: No release was rolled out, another one than `release` is being, or its
                release was promoted before and serves everybody.
        """
        return await stop_canary(self.context(), domain=domain, release=release)

    async def apromote_canary(
        self, *, domain: str | None = None, release: int | None = None
    ) -> RolloutShown:
        """Activate the release that is being rolled out, whatever its figures.

        Args:
            domain: Its name; `None` takes the object's.
            release: The one that is meant; `None` is whichever is being rolled out.

        Raises:
            Re2llmError: No release is being rolled out, or another one than `release` is.
        """
        return await promote_canary(self.context(), domain=domain, release=release)
