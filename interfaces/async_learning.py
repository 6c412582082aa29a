"""Loading, learning, training and evaluating with a `Re2llm` object's database and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.interactions import TableOptions
from ..evaluation.defaults import DEFAULT_BASELINES, NEGATIVES
from ..operations.catalogue.results import Loaded
from ..operations.learning.learn import learn
from ..operations.learning.results import Learned
from ..operations.loading.load_files import load_files
from ..records import Session
from ..runtime.progress import Progress, silent
from .async_hints import AsyncHints
from .loading import load_module

if TYPE_CHECKING:
    from ..operations.evaluation.evaluate import Evaluation
    from ..operations.first_stage.measure import Measured
    from ..operations.training.results import TrainedRelease
    from ..policies.recipes import PolicyRecipe
    from ..settings import FuseMode


class AsyncLearning(AsyncHints):
    """The operations that take minutes or more."""

    async def aload(
        self,
        dataset: str,
        path: Path | None,
        *,
        domain: str | None = None,
        sessions: Sequence[Path] = (),
        table: TableOptions | None = None,
        any_order: bool = False,
        skip_malformed: bool = False,
        progress: Progress = silent,
    ) -> Loaded:
        """Load a catalogue and its training sessions, all or nothing; reloading changes nothing.

        Args:
            dataset: `hetrec`, `movielens`, `amazon`, `jsonl` or `table`.
            path: The data set's folder, a JSONL file of items, or a table of interactions or items;
                `None` for sessions of items that the catalogue has, or if `table` names the items.
            domain: Its name; it is made if it is new. `None` takes the object's.
            sessions: JSONL files of training sessions; none takes the data set's own.
            table: Where the items of a `table` are, and which columns hold what.
            any_order: Treat the sessions as not in time order, even if they seem to be.
            skip_malformed: Whether to skip malformed rows.
            progress: Called with how many bytes have been read.

        Raises:
            Re2llmError: Something in the files cannot be used; nothing was stored.
        """
        return await load_files(
            self.context(),
            dataset,
            path,
            domain=domain,
            sessions=sessions,
            table=table,
            any_order=any_order,
            skip_malformed=skip_malformed,
            progress=progress,
        )

    async def alearn(  # noqa: PLR0913  # what a learner may be told
        self,
        *,
        sessions: Sequence[Path] = (),
        max_hints: int = 30,
        max_llm_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        concurrency: int | None = None,
        reflection_batch: int | None = None,
        tidy: bool = True,
        fuse: FuseMode | None = None,
        domain: str | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Learned:
        """Learn hints from the misses on training sessions; another run goes on where this stops.

        Args:
            sessions: Learn only from these loaded sessions (JSONL files); from all if empty.
            max_hints: Stop when the domain has this many active or pending hints.
            max_llm_calls: Stop after this many model calls.
            max_tokens: Stop after this many tokens, in and out.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            concurrency: Sessions at a time; `None` takes the setting.
            reflection_batch: How many misses with a common cause one reflection is about, at most;
                `None` takes the setting.
            tidy: Tidy the hints at the end, by the trials so far: without a model call.
            fuse: What decides the order: `learned`, `llm`, `first_stage` or `sum`; `None` takes the
                setting.
            domain: Its name; `None` takes the object's.
            seed: The seed of the order of sessions; `None` takes the setting.
            progress: Called with the stage, the sessions done and their total.

        Raises:
            Re2llmError: There is no such domain, or the database failed.
        """
        return await learn(
            self.context(domain=domain, seed=seed, fuse=fuse, reflection_batch=reflection_batch),
            sessions=sessions,
            max_hints=max_hints,
            max_llm_calls=max_llm_calls,
            max_tokens=max_tokens,
            max_cost=max_cost,
            concurrency=concurrency,
            tidy=tidy,
            progress=progress,
        )

    async def atrain(  # noqa: PLR0913  # what a training can be
        self,
        *,
        sessions: Sequence[Path] = (),
        recipe: PolicyRecipe = "content",
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        batch: bool = False,
        force: bool = False,
        activate: bool = True,
        every_cell: bool = False,
        fuse: FuseMode | None = None,
        domain: str | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> TrainedRelease:
        """Train the hint policy by PPO on training sessions, and release it.

        Args:
            sessions: Train only on these loaded sessions (JSONL files); on all if empty.
            recipe: `content`, or `paper` for the fixed network of arXiv 2403.16427.
            max_llm_calls: Stop after this many model calls.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            batch: Ask in provider batches: at a lower price, within a day.
            force: Whether to activate the release even if it is worse than the active one.
            activate: Whether to activate it at all; if not, `start_canary` can roll it out.
            every_cell: Whether to pay for every pair of session and hint that training visits.
            fuse: What decides the order, as for `alearn`.
            domain: Its name; `None` takes the object's.
            seed: The seed of the split and the sampling; `None` takes the setting.
            progress: Called with the stage, the steps done and their total.

        Raises:
            Re2llmError: There are too few sessions or hints, or the budget or the model ended it.
        """
        await load_module("operations.training.train")
        from ..operations.training.train import train  # noqa: PLC0415

        return await train(
            self.context(domain=domain, seed=seed, fuse=fuse),
            sessions=sessions,
            recipe=recipe,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            batch=batch,
            force=force,
            activate=activate,
            every_cell=every_cell,
            progress=progress,
        )

    async def ameasure(
        self,
        *,
        sessions: int = 300,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        domain: str | None = None,
        progress: Progress = silent,
    ) -> Measured:
        """Measure what the model adds to the first stage, and weight it by that from now on.

        Args:
            sessions: How many random training sessions to ask about at most, a call each.
            max_llm_calls: Stop after this many model calls.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            domain: Its name; `None` takes the object's.
            progress: Called with a stage, done and total.

        Raises:
            Re2llmError: There are no training sessions, or the budget or the model ended it.
        """
        await load_module("operations.first_stage.measure")
        from ..operations.first_stage.measure import measure  # noqa: PLC0415

        return await measure(
            self.context(domain=domain),
            sessions=sessions,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            progress=progress,
        )

    async def aevaluate(  # noqa: PLR0913  # what can be compared
        self,
        sessions: Path | Sequence[Session],
        *,
        policies: Sequence[str] | None = None,
        baselines: Sequence[str] = DEFAULT_BASELINES,
        skip_malformed: bool = False,
        oracle: bool = False,
        permutations: int = 1,
        answers: Path | None = None,
        negatives: int = NEGATIVES,
        max_llm_calls: int | None = None,
        max_cost: float | None = None,
        batch: bool = False,
        fuse: FuseMode | None = None,
        domain: str | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Evaluation:
        """Compare hint policies and baselines on sessions with targets; nothing of them is stored.

        Args:
            sessions: A JSONL file, or sessions. Those without candidates get their target and
                sampled negatives.
            policies: Hint policies; `None` takes `none`, `static` and the active release, or
                without one `none`, `random`, `similar` and `static`.
            baselines: Among `random`, `popularity`, `vsknn`, `sasrec`, `sum` and `first-stage`.
            skip_malformed: Whether to skip malformed rows.
            oracle: Whether to give every active hint to every session, too.
            permutations: Rank the candidates in this many orders, by the model alone; compare and
                fuse the answers.
            answers: A file of recorded answers to score, too: one per session.
            negatives: Negative items to draw for each target; a small catalogue gives fewer.
            max_llm_calls: Stop after this many model calls.
            max_cost: Stop when this much is spent, by `RE2LLM_PRICES`.
            batch: Ask in provider batches: at a lower price, within a day.
            fuse: What decides the order, as for `alearn`.
            domain: Its name; `None` takes the object's.
            seed: The seed of every random choice; `None` takes the setting.
            progress: Called with the system, the sessions done and their total.

        Returns:
            HR, NDCG and MRR with 95 % intervals, and paired differences, as `document`.

        Raises:
            Re2llmError: A name is unknown, a file cannot be used, or the budget or model ended it.
        """
        await load_module("operations.evaluation.evaluate")
        from ..operations.evaluation.evaluate import evaluate  # noqa: PLC0415

        return await evaluate(
            self.context(domain=domain, seed=seed, fuse=fuse),
            sessions,
            policies=policies,
            baselines=baselines,
            skip_malformed=skip_malformed,
            oracle=oracle,
            permutations=permutations,
            answers=answers,
            negatives=negatives,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            batch=batch,
            progress=progress,
        )
