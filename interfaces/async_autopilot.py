"""The autopilots of a `Re2llm` object's domains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..operations.autopilot.manage import resume_autopilot, show_autopilot
from ..operations.autopilot.results import AutopilotShown
from ..policies.autopilot.plan import AutopilotPlan
from ..policies.rollout.plan import Plan
from ..runtime.context import Context
from .loading import load_module

_SWITCH = "jobs.autopilot.switch"


class AsyncAutopilot(ABC):
    """What learns by itself."""

    @abstractmethod
    def context(self, **options: Any) -> Context:
        """Return a context that runs on the object's database and models."""

    async def aautopilot_on(
        self,
        *,
        usd_per_day: float | None = None,
        calls_per_day: int | None = None,
        domain: str | None = None,
        batch: int = 50,
        reference: int = 500,
        cron: str | None = None,
        **rollout: Any,
    ) -> AutopilotShown:
        """Learn from feedback, train and roll out by itself, within a budget; workers do the work.

        Args:
            usd_per_day: What it may spend in a day (UTC), by `RE2LLM_PRICES`; this or the next is
                needed.
            calls_per_day: Model calls that it may make.
            domain: Its name; `None` takes the object's.
            batch: New misses to learn from together.
            reference: Rewards after a promotion that say what to expect of a release.
            cron: When it looks, in UTC; `None` changes nothing while it is on, and else
                means every 15 minutes.
            **rollout: Fields of `re2llm.policies.rollout.plan.Plan`, such as `steps` and `hold`.

        Raises:
            Re2llmError: The plan cannot be carried out, a model has no price, or it is held.
        """
        plan = AutopilotPlan(
            usd_per_day=usd_per_day,
            calls_per_day=calls_per_day,
            batch=batch,
            reference=reference,
            canary=Plan.asked(rollout),
        )
        switch = await load_module(_SWITCH)
        return await switch.turn_on(self.context(), plan, domain=domain, cron=cron)

    async def aautopilot_off(self, *, domain: str | None = None) -> AutopilotShown:
        """Turn it off: its running step makes no further call, and a rollout goes on.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await (await load_module(_SWITCH)).turn_off(self.context(), domain=domain)

    async def ashow_autopilot(self, *, domain: str | None = None) -> AutopilotShown:
        """Show whether it is on, what it has decided and why, and what it has spent.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await show_autopilot(self.context(), domain=domain)

    async def aresume_autopilot(self, *, domain: str | None = None) -> AutopilotShown:
        """Let a held one go on, with present reward as what is expected.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: It is off.
        """
        return await resume_autopilot(self.context(), domain=domain)

    async def arun_autopilot_once(self, *, domain: str | None = None) -> AutopilotShown:
        """Look at what is new and begin the next step now; a worker does it.

        Args:
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: It is off.
        """
        return await (await load_module(_SWITCH)).run_once(self.context(), domain=domain)
