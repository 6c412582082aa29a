"""Collects the questions of some work, and sends them in batches.

A batch is stored before it is started, so that a run that was killed waits for the same one.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import BudgetSpentError, Failure, InputError, ModelDownError
from ..knowledge.log.llm_batches import Batch, end_batch, note_status, open_batches, store_batch
from ..knowledge.log.llm_calls import answered_keys
from ..llm.client.batches import BatchClient
from ..llm.client.endpoint import Endpoint
from ..llm.errors.failures import ABOUT_LETTERS, ABOUT_THE_PROMPT, RETRYABLE, ModelFailedError
from ..llm.prices import bill_for, estimated_tokens
from ..llm.structured import METHODS
from .allowance import presumed_usage
from .batch_answers import BatchAnswers
from .model_call import ask
from .options import RunOptions
from .progress import Progress
from .questions import Question, Questions

Collect = Callable[[Questions], Awaitable[None]]
"""Runs a piece of work with these `RunOptions.questions`, so that it collects and asks nothing."""

_PATIENCE = 3600.0
"""Seconds that another process may take to collect the same questions."""


class BatchSender:
    """Collects questions, and sends those that are neither answered nor under way.

    Attributes:
        wanted: Keys of the questions without an answer, and about how many tokens they have.
        sent: How many the last `send` has sent.
        cut: Whether the budget has left some out.
    """

    def __init__(self, endpoint: Endpoint, answers: BatchAnswers, options: RunOptions) -> None:
        self.wanted: dict[bytes, int] = {}
        self._endpoint = endpoint
        self._answers = answers
        self._options = options
        self._under_way = set[bytes]()
        self.sent = 0
        self.cut = False
        self._tried = False
        self._again = False

    async def send(self, pieces: Sequence[Collect], progress: Progress) -> list[Batch]:
        """Send the questions of all pieces, and return all batches that are under way."""
        options = self._options
        server = self._endpoint.server or ""
        questions = Questions()
        self.wanted.clear()
        self.sent, self.cut = 0, False
        # Alone, so that two processes with the same questions do not both send them.
        alone = hashlib.sha256(f"batch {options.model} {server}".encode()).digest()
        here, everywhere = options.services.one_at_a_time(alone), options.services.locks
        async with here, everywhere.prompt(alone, _PATIENCE):
            async with options.services.engine.connect() as connection:
                batches = await open_batches(connection, options.prompted_model, server)
            self._under_way = {key for batch in batches for key in batch.keys}
            at_once = options.settings.concurrency
            for done in range(0, len(pieces), at_once):
                progress("collecting questions", done, len(pieces))
                await asyncio.gather(*(piece(questions) for piece in pieces[done : done + at_once]))
                if questions.full:
                    batches += await self._send(questions.take())
            batches += await self._send(questions.take())
        progress("collecting questions", len(pieces), len(pieces))
        if self._again:
            self._again = False
            return await self.send(pieces, progress)  # they ask for lists now
        return batches

    async def _send(self, questions: Sequence[Question]) -> list[Batch]:
        async with self._options.services.engine.connect() as connection:
            known = await answered_keys(connection, [one.key for one in questions])
        known |= self._answers.given_up
        unknown = [one for one in questions if one.key not in known]
        self.wanted.update({one.key: _tokens(one) for one in unknown})
        fresh: Sequence[Question] = [one for one in unknown if one.key not in self._under_way]
        if fresh and not self._understood(fresh[0]):
            fresh = await self._first_alone(fresh)
        taken, reserved = self._within_budget(fresh)
        self.sent += len(taken)
        self.cut |= len(taken) < len(fresh)
        return [await self._start(taken, reserved)] if taken else []

    def _understood(self, question: Question) -> bool:
        """Whether it is known how the model wants to be asked."""
        wanted = question.answer_format
        if wanted is not None and wanted.letters:
            return self._endpoint.letters.proven
        return self._tried or (
            wanted is not None and wanted.in_json and self._endpoint.methods.proven
        )

    async def _first_alone(self, questions: Sequence[Question]) -> Sequence[Question]:
        """Ask a first question at once: it shows how the model wants to be asked, or that it fails.

        A batch cannot step down to another way of asking for JSON.
        """
        wanted = questions[0].answer_format
        if wanted is not None and wanted.letters:
            return await self._first_letter(questions)
        failure = ""
        tried, left = questions[: len(METHODS)], questions[len(METHODS) :]
        for place, question in enumerate(tried, 1):
            reply = await ask(
                question.messages, self._options, answer_format=question.answer_format
            )
            failure = reply.failure
            if failure and failure not in ABOUT_THE_PROMPT:
                break
            self._tried = not failure and question.answer_format is None
            if self._understood(question):
                return questions[place:]
        if failure and (left or failure not in ABOUT_THE_PROMPT):
            raise ModelDownError(self._options.model, failure)
        self._answers.given_up.update(one.key for one in tried if failure)
        self._tried = not failure
        return left

    async def _first_letter(self, questions: Sequence[Question]) -> Sequence[Question]:
        """Ask for a first letter. Where that fails, none is sent: lists will be asked for."""
        options = self._options
        tried, left = questions[: len(METHODS)], questions[len(METHODS) :]
        failure = ""
        for place, question in enumerate(tried, 1):
            reply = await ask(question.messages, options, answer_format=question.answer_format)
            failure = reply.failure
            if self._endpoint.letters.proven:
                return questions[place:]
            if failure != Failure.REFUSED:
                break
        if failure == Failure.REFUSED and not left:
            self._answers.given_up.update(one.key for one in tried)
            return left
        if failure not in ABOUT_LETTERS:
            raise ModelDownError(options.model, failure)
        await options.services.models.note_logprobs(options.model, given=False, keep=False)
        self._again = True
        return []

    def _within_budget(self, questions: Sequence[Question]) -> tuple[list[Question], float]:
        """Return the questions that the budget allows, and what is set aside for them."""
        budget = self._options.budget
        taken: list[Question] = []
        reserved = 0.0
        for question in questions:
            estimate = self._estimate(question)
            try:
                if budget is not None:
                    budget.claim_call(estimate)
            except BudgetSpentError:
                break  # the work itself says so, once it has used what was answered
            taken.append(question)
            reserved += estimate
        return taken, reserved

    def _estimate(self, question: Question) -> float:
        settings, usage = self._options.settings, presumed_usage(self._options, question.messages)
        discount = settings.batch_discount
        return bill_for(settings.prices, self._options.model, usage, discount=discount).cost or 0.0

    async def _start(self, questions: Sequence[Question], reserved: float) -> Batch:
        options, client = self._options, self._answers.client
        in_json = questions[0].answer_format is not None and questions[0].answer_format.in_json
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "questions.jsonl"
                await asyncio.to_thread(_write, file, questions, client)
                file_id = await client.upload(file)
        except ModelFailedError as error:
            raise _no_batch(error, options.model) from None
        batch = Batch(
            model=options.model,
            server=self._endpoint.server or "",
            prompt_version=options.prompt_version,
            command=options.command,
            method=self._endpoint.methods.current if in_json else "plain",
            keys=[question.key for question in questions],
            file_id=file_id,
        )
        async with options.services.engine.begin() as connection:
            batch = replace(batch, id=await store_batch(connection, batch))
        self._under_way.update(batch.keys)
        self._answers.reserve(batch.id, reserved)
        try:
            status = await client.create(file_id)
        except ModelFailedError as error:
            if error.failure in RETRYABLE:
                return batch  # the first look at it searches for it, or starts it
            async with options.services.engine.begin() as connection:
                await end_batch(connection, batch.id, "refused")
            raise _no_batch(error, options.model) from None
        async with options.services.engine.begin() as connection:
            await note_status(connection, batch.id, status.remote_id, status.status)
        return replace(batch, remote_id=status.remote_id)


def _tokens(question: Question) -> int:
    return estimated_tokens(*(message.text for message in question.messages))


def _write(file: Path, questions: Sequence[Question], client: BatchClient) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for one in questions:
            lines.write(client.question(one.key, one.messages, one.answer_format))


def _no_batch(error: ModelFailedError, model: str) -> Exception:
    """Return the error for a server that takes single calls but no batch."""
    if error.failure is Failure.REJECTED:
        return InputError(
            "batch",
            f"The server of {model!r} refuses batches.",
            "Leave `batch` out; the questions are then asked one by one.",
        )
    return ModelDownError(model, error.failure)
