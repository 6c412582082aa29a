"""What the routes take. Unknown keys are refused, and every field has its limits."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from ...knowledge.hint_store.hints import LONGEST_HINT
from ...policies.autopilot.plan import AutopilotPlan
from ...policies.rollout.plan import Goal, Plan
from ...rating.request import OtherReview, PastReview, RatedItem
from ...runtime.request_limits import (
    MOST_ITEMS,
    MOST_SHOWN,
    DomainName,
    ItemId,
    Rating,
    RowKey,
    Title,
    UserName,
)
from ...settings import HintChoice
from .. import descriptions
from ..arguments import IdOrTitle

_PLAN = Plan()
_Count = Annotated[int, Field(ge=1, le=10**9)]

MOST_ROWS = 100
"""Requests in one batch."""
MOST_HINTS = 1_000
"""Hints in one request or on one page."""

HintStatus = Literal["active", "pending", "retired"]
Listed = Annotated[list[IdOrTitle], Field(max_length=MOST_ITEMS)]
DomainField = Annotated[DomainName | None, Field(description=descriptions.DOMAIN)]
DomainQuery = Annotated[DomainName | None, Query(description=descriptions.DOMAIN)]


class StrictBody(BaseModel):
    """A body without unknown keys; what is true or false is no number, and no text is one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class KeyedBody(StrictBody):
    """A body that may come with an idempotency key, which stands for it.

    Fields in `always_told` are what it was told apart by from the start. A later one with its
    default counts as absent, so that a key goes on standing for the body that it came with.
    """

    always_told: ClassVar[frozenset[str]] = frozenset()

    def told_apart_by(self) -> dict[str, Any]:
        """Return as JSON primitives what tells the body from another one with the same key."""
        left_out = {
            name
            for name, field in type(self).model_fields.items()
            if name not in self.always_told
            and getattr(self, name) == field.get_default(call_default_factory=True)
        }
        return self.model_dump(mode="json", exclude=left_out)


class RecommendBody(StrictBody):
    """What to recommend for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"domain": "films", "history": ["Alien"], "k": 3}]}
    )

    history: Annotated[Listed, Field(min_length=1, description=descriptions.HISTORY)]
    candidates: Annotated[Listed | None, Field(description=descriptions.CANDIDATES)] = None
    k: Annotated[int, Field(ge=1, le=MOST_SHOWN, description=descriptions.COUNT)] = 10
    user: Annotated[UserName | None, Field(description=descriptions.USER)] = None
    domain: DomainField = None
    policy: Annotated[HintChoice | None, Field(description="How the hint is chosen.")] = None
    model: Annotated[
        Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None,
        Field(description="The ranking model; with a key, one that was granted."),
    ] = None
    seed: Annotated[
        Annotated[int, Field(ge=0, le=2**32 - 1)] | None,
        Field(description="Seed of the candidates' order and of random hints."),
    ] = None


class BatchBody(StrictBody):
    """Requests for recommendations, each answered on its own."""

    requests: Annotated[
        list[Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/RecommendBody"})]],
        Field(min_length=1, max_length=MOST_ROWS, description="Each as for `/v1/recommend`."),
    ]


class FeedbackBody(KeyedBody):
    """What a person did with a recommendation."""

    always_told = frozenset({"recommendation_id", "picked", "domain", "learn"})

    recommendation_id: Annotated[ItemId, Field(description=descriptions.RECOMMENDATION)]
    picked: Annotated[IdOrTitle | None, Field(description=descriptions.PICKED)] = None
    domain: DomainField = None
    learn: Annotated[bool, Field(description="Whether a miss may start learning.")] = True


class _Item(RatedItem):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Past(PastReview):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Other(OtherReview):
    model_config = ConfigDict(extra="forbid", strict=True)


class RateBody(StrictBody):
    """Whose rating of what to predict; as `RatingRequest`, without unknown keys."""

    item: Annotated[_Item, Field(description="What the user is about to rate.")]
    history: Annotated[
        list[_Past], Field(max_length=MOST_ITEMS, description="Past reviews, oldest first.")
    ] = []
    item_reviews: Annotated[
        list[_Other], Field(max_length=MOST_ITEMS, description="Other people's reviews.")
    ] = []
    user_mean: Annotated[Rating | None, Field(description="Mean of the user's ratings.")] = None
    item_mean: Annotated[Rating | None, Field(description="Mean rating of the item.")] = None
    lowest: Annotated[Rating, Field(description="The worst rating of the scale.")] = 1
    highest: Annotated[Rating, Field(description="The best rating of the scale.")] = 5


class SearchBody(StrictBody):
    """What to search the catalogue for."""

    query: Annotated[Title, Field(min_length=1, description="A title, or what it is about.")]
    count: Annotated[int, Field(ge=1, le=100, description="How many items at most.")] = 10
    domain: DomainField = None


class WithdrawBody(StrictBody):
    """Items to withdraw: all of them, or none."""

    items: Annotated[
        list[Annotated[IdOrTitle, Field(min_length=1)]],
        Field(
            min_length=1,
            max_length=MOST_ITEMS,
            description="Ids, or titles exactly as they are. Many at once spare work.",
        ),
    ]
    domain: DomainField = None


class HintBody(StrictBody):
    """A person's hint."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_HINT * 2)]
    domain: DomainField = None


class HintsBody(StrictBody):
    """Hints to approve or retire: all of them, or none."""

    hints: Annotated[list[RowKey], Field(min_length=1, max_length=MOST_HINTS)]
    reason: Annotated[
        Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")] | None,
        Field(description="Stored with the hints."),
    ] = None
    domain: DomainField = None


class TidyBody(StrictBody):
    """Which catalogue's hints to tidy."""

    domain: DomainField = None
    dry_run: Annotated[bool, Field(description="Change no hint, and say what would change.")] = (
        False
    )


class ActivateBody(StrictBody):
    """Which release to serve from now on."""

    release: Annotated[RowKey, Field(description="Its number.")]
    domain: DomainField = None
    force: Annotated[bool, Field(description="Even if it is worse than the active one.")] = False


class _RolloutBody(StrictBody):
    domain: DomainField = None
    steps: Annotated[
        list[Annotated[float, Field(ge=0, le=100)]],
        Field(min_length=1, max_length=20, description="Percent of people, rising."),
    ] = list(_PLAN.steps)
    hold: Annotated[_Count, Field(description="Exposures that each step lasts.")] = _PLAN.hold
    most: Annotated[_Count, Field(description="Exposures after which it is given up.")] = _PLAN.most
    window: Annotated[
        int, Field(ge=1, le=30 * 86_400, description="Seconds within which feedback counts.")
    ] = _PLAN.window
    effect: Annotated[
        float, Field(ge=0.0001, le=1, description="Difference of reward that is worth finding.")
    ] = _PLAN.effect
    goal: Annotated[Goal, Field(description="What the step to 100 needs.")] = _PLAN.goal

    def rollout(self) -> Plan:
        """Return how it is rolled out.

        Raises:
            InputError: It cannot be carried out.
        """
        return Plan.from_dict(self.model_dump(include=set(_RolloutBody.model_fields) - {"domain"}))


class CanaryBody(_RolloutBody):
    """Which release to roll out, and how."""

    release: Annotated[RowKey, Field(description="Its number.")]
    most: Annotated[_Count, Field(description="Exposures after which a person decides.")] = (
        _PLAN.most
    )


class AutopilotBody(_RolloutBody):
    """What an autopilot may spend, and how it goes about it; one of the budgets is needed."""

    usd_per_day: Annotated[
        Annotated[float, Field(ge=0.01, le=10**9)] | None,
        Field(description="Dollars a day (UTC), by `RE2LLM_PRICES`."),
    ] = None
    calls_per_day: Annotated[_Count | None, Field(description="Model calls a day.")] = None
    cron: Annotated[
        Annotated[str, Field(min_length=1, max_length=200)] | None,
        Field(
            description="When it looks, in UTC; null changes nothing while it is "
            "on, and else means every 15 minutes."
        ),
    ] = None
    batch: Annotated[_Count, Field(description="New misses to learn from together.")] = 50
    reference: Annotated[
        int,
        Field(ge=100, le=10**9, description="Rewards after a promotion that say what to expect."),
    ] = 500

    def plan(self) -> AutopilotPlan:
        """Return the plan that is asked for.

        Raises:
            InputError: It cannot be carried out.
        """
        return AutopilotPlan(
            usd_per_day=self.usd_per_day,
            calls_per_day=self.calls_per_day,
            batch=self.batch,
            reference=self.reference,
            canary=self.rollout(),
        )


class DomainBody(StrictBody):
    """The domain that is meant."""

    domain: DomainField = None


class RollbackBody(DomainBody):
    """From which release to go back."""

    active: Annotated[
        RowKey | None,
        Field(description="Refused if another is active by now; null takes whichever is."),
    ] = None


class EndCanaryBody(DomainBody):
    """Which rollout to end."""

    release: Annotated[
        RowKey | None,
        Field(description="Refused if another is being rolled out; null takes whichever is."),
    ] = None
