"""Keeps the processes that answer alive, and lets a signal end them all at once."""

from __future__ import annotations

from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """uvicorn's supervisor, which learns of a worker's death at once.

    uvicorn asks each worker for a sign of life over a pipe, and holds both ends of it itself. So a
    worker that ends between question and answer, as on a SIGTERM to the whole process group, looks
    like one that is slow: the supervisor waits for it, and handles no signal meanwhile.
    """

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died or hang, unless a signal has come that ends them."""
        for process in self.processes:
            process.child_conn.close()  # the worker has its own: when it ends, the pipe does
        patience = self.config.timeout_worker_healthcheck
        lost = [process for process in self.processes if not process.is_alive(patience)]
        if not lost or self.signal_queue:
            return
        for process in lost:
            process.kill()
        super().keep_subprocess_alive()
