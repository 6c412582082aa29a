"""What a `Re2llm` object can do for callers without an event loop."""

# Each method takes what its twin in `async_verbs` describes.

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.interactions import TableOptions
from ..operations.domain_results import Loaded
from ..operations.learn import Learned
from ..operations.rating.results import Rated
from ..operations.release_results import ListedReleases
from ..operations.results import FeedbackStored, FoundTitles, Recommended
from ..rating.request import RatingRequest
from ..records import Session
from ..runtime.progress import Progress, silent
from .async_verbs import AsyncVerbs
from .autopilot import Autopilot
from .curation import Curation
from .rollouts import Rollouts

if TYPE_CHECKING:
    from ..operations.evaluate import Evaluation
    from ..operations.measure import Measured
    from ..operations.train_results import TrainedRelease
    from ..policies.recipes import Recipe


class Verbs(Curation, Rollouts, Autopilot, AsyncVerbs):
    """Each operation twice: for callers with an event loop, and for those without."""

    def recommend(
        self,
        history: Sequence[str],
        *,
        candidates: Sequence[str] | None = None,
        domain: str | None = None,
        k: int = 10,
        user: str | None = None,
    ) -> Recommended:
        """Wait for `arecommend`."""
        return self.run(
            partial(self.arecommend, history, candidates=candidates, domain=domain, k=k, user=user)
        )

    def feedback(
        self,
        recommendation_id: str,
        picked: str | None,
        *,
        domain: str | None = None,
        learn: bool = True,
    ) -> FeedbackStored:
        """Wait for `afeedback`."""
        return self.run(
            partial(self.afeedback, recommendation_id, picked, domain=domain, learn=learn)
        )

    def rate(self, request: RatingRequest) -> Rated:
        """Wait for `arate`."""
        return self.run(partial(self.arate, request))

    def find_titles(self, titles: Sequence[str], *, domain: str | None = None) -> FoundTitles:
        """Wait for `afind_titles`."""
        return self.run(partial(self.afind_titles, titles, domain=domain))

    def load(
        self,
        dataset: str,
        path: Path,
        *,
        domain: str | None = None,
        sessions: Sequence[Path] = (),
        table: TableOptions | None = None,
        any_order: bool = False,
        skip_malformed: bool = False,
        progress: Progress = silent,
    ) -> Loaded:
        """Wait for `aload`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.aload,
                dataset,
                path,
                domain=domain,
                sessions=sessions,
                table=table,
                any_order=any_order,
                skip_malformed=skip_malformed,
                progress=progress,
            )
        )

    def learn(
        self,
        *,
        sessions: Sequence[Path] = (),
        max_hints: int = 30,
        max_llm_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        concurrency: int | None = None,
        tidy: bool = True,
        domain: str | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Learned:
        """Wait for `alearn`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.alearn,
                sessions=sessions,
                max_hints=max_hints,
                max_llm_calls=max_llm_calls,
                max_tokens=max_tokens,
                max_cost=max_cost,
                concurrency=concurrency,
                tidy=tidy,
                domain=domain,
                seed=seed,
                progress=progress,
            )
        )

    def measure(
        self,
        *,
        sessions: int = 300,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        domain: str | None = None,
        progress: Progress = silent,
    ) -> Measured:
        """Wait for `ameasure`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.ameasure,
                sessions=sessions,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                domain=domain,
                progress=progress,
            )
        )

    def train(
        self,
        *,
        sessions: Sequence[Path] = (),
        recipe: Recipe = "content",
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        batch: bool = False,
        force: bool = False,
        every_cell: bool = False,
        domain: str | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> TrainedRelease:
        """Wait for `atrain`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.atrain,
                sessions=sessions,
                recipe=recipe,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                batch=batch,
                force=force,
                every_cell=every_cell,
                domain=domain,
                seed=seed,
                progress=progress,
            )
        )

    def evaluate(
        self,
        sessions: Path | Sequence[Session],
        *,
        policies: Sequence[str] | None = None,
        baselines: Sequence[str] = ("random", "popularity", "vsknn"),
        oracle: bool = False,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        batch: bool = False,
        domain: str | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Evaluation:
        """Wait for `aevaluate`. `progress` is called on the object's own thread."""
        return self.run(
            partial(
                self.aevaluate,
                sessions,
                policies=policies,
                baselines=baselines,
                oracle=oracle,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                batch=batch,
                domain=domain,
                seed=seed,
                progress=progress,
            )
        )

    def releases(self, *, domain: str | None = None) -> ListedReleases:
        """Wait for `areleases`."""
        return self.run(partial(self.areleases, domain=domain))
