"""Asks a stage's questions in batches before the stage runs, which then finds the answers paid."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..llm.client.batches import BatchClient
from .batch_answers import BatchAnswers
from .batch_sender import BatchSender, Collect
from .model_call import keeps_answers
from .options import RunOptions
from .progress import Progress

_ROUNDS = 3
"""How often to send questions that the provider does not get to, or fails at."""


async def ask_ahead(pieces: Sequence[Collect], options: RunOptions, progress: Progress) -> None:
    """Ask the questions of some work in batches, and wait for the answers.

    What is answered already is left out. The budget holds for a batch before it is sent: questions
    that it does not allow are left out, too. A model that runs in this process is not asked.

    Args:
        pieces: The work; its questions are asked in this order.
        progress: Called with the stages `collecting questions` and `waiting for the batch`.

    Raises:
        InputError: The model or the settings allow no batches, or the provider refused one.
        BudgetSpentError: The budget does not allow the first question, which is asked alone.
        ModelDownError: The provider cannot be reached; batches that were sent are kept.
    """
    endpoint = await options.services.models.endpoint(options.model)
    if endpoint.local:
        return
    if not keeps_answers(endpoint, options):
        raise InputError(
            "batch",
            "Answers cannot be used again with these settings.",
            "Set RE2LLM_TEMPERATURE=0 and RE2LLM_CALL_CACHE=true, or leave `batch` out.",
        )
    if options.caller is not None:
        raise InputError("batch", "An API key cannot send batches.", "Leave it out.")
    answers = BatchAnswers(BatchClient(endpoint), options)
    sender = BatchSender(endpoint, answers, options)
    failed = 0
    while failed < _ROUNDS:
        batches = await sender.send(pieces, progress)
        if await answers.wait(batches, sender.wanted, progress):
            failed += 1
        elif not sender.sent or not sender.cut:
            return
        # Else the answers have cost less than was set aside, so that the budget may allow more.
