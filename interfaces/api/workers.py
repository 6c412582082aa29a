"""Keeps the processes that answer alive, and lets a signal end them all at once."""

from __future__ import annotations

import logging
import socket
import sys

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

_log = logging.getLogger("uvicorn.error")


def listening_sockets(config: Config) -> list[socket.socket]:
    """Bind a socket for each worker, where the kernel then spreads connections over them.

    Of one socket, the worker that is quickest takes what comes at once, be it every connection of
    a load balancer, and keeps it.

    Raises:
        SystemExit: The address cannot be used.
    """
    shared = config.bind_socket()  # fails where somebody listens, which those below would not
    if not sys.platform.startswith("linux"):
        return [shared]
    address, family = shared.getsockname(), shared.family
    shared.close()
    made: list[socket.socket] = []
    for _ in range(config.workers):
        own = socket.socket(family)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(address)
        own.set_inheritable(True)
        made.append(own)
    return made


class Workers(Multiprocess):
    """uvicorn's supervisor, with a socket for each worker, and one that learns of a death at once.

    A worker and the one that replaces it share a socket, so that no connection is lost between.

    uvicorn asks each worker for a sign of life over a pipe, and holds both ends of it itself. So a
    worker that ends between question and answer, as on a SIGTERM to the whole process group, looks
    like one that is slow: the supervisor waits for it, and handles no signal meanwhile.
    """

    def init_processes(self) -> None:
        """Start all workers."""
        self.processes = [self._started(place) for place in range(self.processes_num)]

    def restart_all(self) -> None:
        """Replace each worker, one after the other, once its successor answers."""
        patience = self.config.timeout_worker_healthcheck
        for place, before in enumerate(self.processes):
            after = self._started(place)
            if not after.wait_until_ready(patience, self.should_exit):
                after.kill()
                after.join()
                _log.error("A new worker was not ready in time: the others stay.")
                return
            before.terminate()
            before.join()
            self.processes[place] = after

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died or hang, unless a signal has come that ends them."""
        if self.should_exit.is_set():
            return
        for process in self.processes:
            process.child_conn.close()  # the worker has its own: when it ends, the pipe does
        patience = self.config.timeout_worker_healthcheck
        lost = [place for place, one in enumerate(self.processes) if not one.is_alive(patience)]
        if not lost or self.signal_queue:
            return
        for place in lost:
            process = self.processes[place]
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:  # as would each that replaced it
                _log.error("A worker could not start.")
                self.should_exit.set()
                return
            _log.info("Worker %s died", process.pid)
            self.processes[place] = self._started(place)

    def _started(self, place: int) -> Process:
        own = self.sockets[place % len(self.sockets)] if self.sockets else None
        process = Process(self.config, [own] if own else [])
        process.start()
        return process
