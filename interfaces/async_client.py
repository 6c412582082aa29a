"""What a `Re2llm` object can do, on the caller's event loop."""

from __future__ import annotations

from collections.abc import Sequence

from ..operations.catalogue.titles import find_titles
from ..operations.rating.rate import rate
from ..operations.rating.results import Rated
from ..operations.recommending.feedback import give_feedback
from ..operations.recommending.recommend import recommend
from ..operations.results import FeedbackStored, FoundTitles, Recommended
from ..rating.request import RatingRequest
from .async_autopilot import AsyncAutopilot
from .async_learning import AsyncLearning
from .async_releases import AsyncReleases
from .plain_arguments import checks_arguments


@checks_arguments
class AsyncClient(AsyncLearning, AsyncReleases, AsyncAutopilot):
    """Each operation, with the object's database and models."""

    async def arecommend(
        self,
        history: Sequence[str],
        *,
        candidates: Sequence[str] | None = None,
        domain: str | None = None,
        k: int = 10,
        user: str | None = None,
    ) -> Recommended:
        """Recommend what a person would choose next.

        Args:
            history: What they chose so far, oldest first: ids or titles.
            candidates: What to rank, ids or titles; `None` retrieves some.
            domain: Its name; `None` takes the object's.
            k: How many to return.
            user: Any stable name of the person or the session: who is in a rollout stays in it.

        Raises:
            Re2llmError: The request cannot be answered.
        """
        return await recommend(
            self.context(), history, candidates=candidates, domain=domain, k=k, user=user
        )

    async def afeedback(
        self,
        recommendation_id: str,
        picked: str | None,
        *,
        domain: str | None = None,
        learn: bool = True,
    ) -> FeedbackStored:
        """Store what a person did with a recommendation; learn from a miss in the background.

        Args:
            recommendation_id: As in the answer.
            picked: The chosen item, id or title; `None` for none of these.
            domain: The recommendation's domain; `None` takes the object's.
            learn: Whether a miss may start learning.

        Raises:
            Re2llmError: There is no such recommendation or item, or other feedback is stored.
        """
        return await give_feedback(
            self.context(), recommendation_id, picked, domain=domain, learn=learn
        )

    async def arate(self, request: RatingRequest) -> Rated:
        """Predict how a person will rate an item.

        Args:
            request: The item, the person's past reviews, and other people's reviews of it.

        Raises:
            Re2llmError: A field does not fit, such as a rating that is not on the scale.
        """
        return await rate(self.context(), request.model_dump(exclude_unset=True))

    async def afind_titles(
        self, titles: Sequence[str], *, domain: str | None = None
    ) -> FoundTitles:
        """Find the items that some titles stand for, despite typing errors and in any case.

        Args:
            titles: Titles as a person wrote them; a year after a title distinguishes items with the
                same title.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await find_titles(self.context(), titles, domain=domain)
