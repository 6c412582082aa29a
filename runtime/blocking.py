"""Work that keeps the event loop from running."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def ctrl_c_raises() -> Generator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` at once, in work that awaits nothing.

    asyncio would cancel the task, which takes effect only where the task awaits. Does nothing
    outside of the main thread, or where Ctrl-C is ignored.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
