"""`re2llm worker`: takes pieces of jobs, on any machine with the database's URL."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from .console import log_traces, note, run
from .interrupts import end_within


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Pieces at the same time. Default: RE2LLM_CONCURRENCY."
        ),
    ] = None,
) -> None:
    """Run jobs that were submitted with --detach, until stopped.

    Start any number of workers, on any machines; they share the work. After
    Ctrl-C or SIGTERM, it finishes what is in flight, for a minute at most,
    and leaves the rest to other workers.

    Example: re2llm worker --concurrency 8
    """

    async def serve() -> None:
        from ..jobs.worker.worker import LONGEST_STOP, work
        from ..settings import get_settings

        log_traces()
        stop = asyncio.Event()

        def leave() -> None:
            if not stop.is_set():
                stop.set()
                end_within(LONGEST_STOP)

        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, leave)
        at_once = concurrency or get_settings().concurrency
        await work(concurrency=at_once, stop=stop, say=note)

    run(serve)
