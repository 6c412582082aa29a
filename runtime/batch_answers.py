"""Waits for batches, and books their answers into the ledger, which is the cache of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from ..errors import Failure, InputError, ModelDownError
from ..knowledge.log.llm_batches import Batch, end_batch, note_status
from ..knowledge.log.llm_calls import LlmCall, book_calls
from ..llm.client.batches import BatchClient, BatchStatus, Line
from ..llm.errors.failures import RETRYABLE, ModelFailedError
from ..llm.prices import Bill, bill_for, estimated_tokens
from ..llm.usage import NOTHING, Usage
from ..settings import AnswerMethod
from .ledger import charge
from .options import RunOptions
from .progress import Progress

_FAILED_LOOKS = 10
"""Failed checks in a row after which the provider counts as down; the batch itself may well
continue."""


class BatchAnswers:
    """The batches of one run.

    Args:
        client: The model's Batch API.
        options: The run's options.

    Attributes:
        given_up: Keys of questions that are not to be asked in a batch again.
    """

    def __init__(self, client: BatchClient, options: RunOptions) -> None:
        self.client = client
        self.given_up = set[bytes]()
        self._options = options
        self._reserved: dict[int, float] = {}
        self._failed_looks = 0

    def reserve(self, batch_id: int, cost: float) -> None:
        """Remember what the budget has set aside for a batch of this run."""
        self._reserved[batch_id] = cost

    async def wait(
        self, batches: Sequence[Batch], wanted: Mapping[bytes, int], progress: Progress
    ) -> bool:
        """Wait until every batch with a wanted question has ended.

        Others, which earlier runs have left behind, are booked if they have ended.

        Args:
            wanted: Keys of the questions, and about how many tokens their prompts have.

        Returns:
            Whether there are questions that another batch may answer.

        Raises:
            InputError: The provider refused a batch, or someone has cancelled it.
            ModelDownError: The provider cannot be reached for long.
        """
        needed = {batch.id for batch in batches if not wanted.keys().isdisjoint(batch.keys)}
        done = {batch.id: 0 for batch in batches if batch.id in needed}
        every = sum(len(batch.keys) for batch in batches if batch.id in needed)
        left = False
        waiting = list(batches)
        while waiting:
            still: list[Batch] = []
            words: dict[str, None] = {}
            for batch in waiting:
                status, lines = await self._look(batch)
                if status.ended:
                    left |= await self._settle(batch, status, lines, wanted)
                if batch.id not in needed:
                    continue
                done[batch.id] = len(batch.keys) if status.ended else status.done
                words[status.status] = None
                if not status.ended:
                    still.append(replace(batch, remote_id=status.remote_id or batch.remote_id))
            if needed:
                note = ", ".join(words)
                progress("waiting for the batch", sum(done.values()), every, note)
            waiting = still
            if waiting:
                await asyncio.sleep(self._options.settings.batch_poll)
        return left

    async def _look(self, batch: Batch) -> tuple[BatchStatus, Sequence[Line]]:
        """Return a batch's status, and its answers if it has ended."""
        try:
            if batch.remote_id is None:
                status = await self.client.start(batch.file_id)
            else:
                status = await self.client.look(batch.remote_id)
            lines: Sequence[Line] = ()
            if status.ended:
                method = cast("AnswerMethod", batch.method)
                lines = await self.client.lines(
                    status, method, self._options.prompt.answer_format, batch.keys
                )
        except ModelFailedError as error:
            if error.failure is Failure.REJECTED:  # the batch or its file is gone
                return BatchStatus(batch.remote_id or "", "expired"), ()
            self._failed_looks += 1
            if error.failure not in RETRYABLE or self._failed_looks >= _FAILED_LOOKS:
                down = ModelDownError(self._options.model, error.failure)
                raise down.adding("The batch goes on; run again to wait for it.") from None
            return BatchStatus(batch.remote_id or "", "out of reach"), ()
        self._failed_looks = 0
        if not status.ended:
            async with self._options.services.engine.begin() as connection:
                await note_status(connection, batch.id, status.remote_id, status.status)
        return status, lines

    async def _settle(
        self,
        batch: Batch,
        status: BatchStatus,
        lines: Sequence[Line],
        wanted: Mapping[bytes, int],
    ) -> bool:
        """Book a batch's answers; return whether another batch may give more.

        Raises:
            InputError: A batch that is waited for has ended in a way that only a person can help.
        """
        options = self._options
        reserved = self._reserved.pop(batch.id, None)
        if reserved is not None and options.budget is not None:
            options.budget.reserved = max(0.0, options.budget.reserved - reserved)
        mine = reserved is not None
        sent = set(batch.keys)
        made = [
            self._entry(batch, line, wanted.get(line.key, 0), mine=mine)
            for line in lines
            if line.key in sent and (line.answered or line.failure)
        ]
        async with options.services.engine.begin() as connection:
            first = await end_batch(connection, batch.id, status.status)
            if first:
                await book_calls(connection, made)
        # They hold what people chose.
        await self.client.delete([batch.file_id, *status.files])
        if not first:
            return True  # another process has booked it and may have deleted its files
        final = {line.key for line in lines if line.answered or line.failure not in _AGAIN}
        self.given_up |= final
        asked = wanted.keys() & sent
        if asked and not any(line.answered for line in lines):
            _raise_unanswered(status)
        if asked and status.status == "cancelled":
            raise InputError(
                "batch",
                "The batch was cancelled at the provider; its answers are kept.",
                "Run again to ask the rest.",
            )
        return not asked <= final

    def _entry(self, batch: Batch, line: Line, prompt_tokens: int, *, mine: bool) -> LlmCall:
        answered = line.answered
        usage, bill = NOTHING, Bill()
        if answered is not None:
            out = estimated_tokens(answered.text)
            usage = answered.usage or Usage(prompt_tokens, out, estimated=True)
            bill = self._bill(batch, usage, mine=mine)
        fits = answered is not None and answered.fits and bool(answered.text.strip())
        return LlmCall(
            key=line.key,
            command=batch.command,
            purpose="rank",
            model=batch.model,
            method=batch.method if answered else "",
            outcome=line.failure or ("ok" if fits else "misshapen"),
            answer=answered.text if answered and fits else None,
            requests=1,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            estimated=usage.estimated,
            latency_ms=0.0,
            cost=bill.cost,
            saved=bill.saved,
        )

    def _bill(self, batch: Batch, usage: Usage, *, mine: bool) -> Bill:
        settings = self._options.settings
        if mine:
            return charge(self._options, batch.model, usage, discount=settings.batch_discount)
        # It was sent, and counted against its limits, by an earlier run.
        return bill_for(settings.prices, batch.model, usage, discount=settings.batch_discount)


_AGAIN = RETRYABLE | {None}
"""Failures of a line whose question another batch may answer."""


def _raise_unanswered(status: BatchStatus) -> None:
    """Raise an error for a batch without answers, unless sending its lines again may help."""
    if status.status == "failed":
        why = f" ({status.code})" if status.code else ""
        raise InputError(
            "batch",
            f"The provider refused the batch{why}.",
            "Send a smaller one by `max_llm_calls`, or leave `batch` out.",
        )
    if status.status == "expired":
        raise InputError(
            "batch",
            "The batch expired without an answer.",
            "Run again to send another one, or leave `batch` out.",
        )
