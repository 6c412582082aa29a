"""A pooler on a Unix socket that lends a server's connection for one transaction at a time.

It speaks as much of PostgreSQL's protocol 3.0 as psycopg needs, and keeps what a session leaves
behind, such as its locks, as PgBouncer does with `pool_mode=transaction`.
"""

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, make_url

_ENCRYPTION = {80877103, 80877104}
_OWN_KEY = struct.pack("!cIII", b"K", 12, 1, 1)
"""By which a client would cancel: a process id and a secret, the pooler's own."""
_IDLE, _READY, _COPY_IN, _ENDS = b"I", b"Z", b"G", (b"Q", b"S", b"c", b"f", b"F")


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def _message(link: socket.socket) -> tuple[bytes, bytes]:
    """Return a message's type, and all of it."""
    head = _exactly(link, 5)
    (length,) = struct.unpack("!I", head[1:])
    return head[:1], head + _exactly(link, length - 4)


class TransactionPooler:
    """Lends a few connections; the last to come back is the next to be lent.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, url: str, folder: Path, size: int) -> None:
        behind = make_url(url)
        self._target = str(Path(str(behind.query["host"])) / ".s.PGSQL.5432")
        parameters = f"user\0{behind.username}\0database\0{behind.database}\0\0".encode()
        self._startup = struct.pack("!II", len(parameters) + 8, 196608) + parameters
        self._greeting = b""
        self._free: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(self._connect())
        self.url: URL = behind.set(query={**behind.query, "host": str(folder)})
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        while not self._free.empty():
            self._free.get().close()

    def _connect(self) -> socket.socket:
        with ExitStack() as unless_ready:
            server = unless_ready.enter_context(socket.socket(socket.AF_UNIX))
            server.connect(self._target)
            server.sendall(self._startup)
            greeting, kind = b"", b""
            while kind != _READY:
                kind, message = _message(server)
                if kind == b"E":
                    raise ConnectionRefusedError(message)
                greeting += _OWN_KEY if kind == b"K" else message
            unless_ready.pop_all()
        self._greeting = greeting
        return server

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        lent: socket.socket | None = None
        try:
            while True:
                length, code = struct.unpack("!II", _exactly(client, 8))
                _exactly(client, length - 8)
                if code not in _ENCRYPTION:
                    break
                client.sendall(b"N")
            client.sendall(self._greeting)
            while True:
                kind, message = _message(client)
                if kind == b"X":
                    return
                lent = lent or self._free.get()
                lent.sendall(message)
                if kind in _ENDS and self._answer(lent, client):
                    self._free.put(lent)
                    lent = None
        except OSError:
            pass
        finally:
            client.close()
            if lent is not None:  # with a transaction open
                lent.close()
                with suppress(OSError):  # the pooler is closed, and its database dropped
                    self._free.put(self._connect())

    def _answer(self, server: socket.socket, client: socket.socket) -> bool:
        """Pass on what the server says until it waits; return whether its transaction is over."""
        while True:
            kind, message = _message(server)
            client.sendall(message)
            if kind == _READY:
                return message[-1:] == _IDLE
            if kind == _COPY_IN:
                return False


@contextmanager
def pooled(url: str, folder: Path, size: int = 3) -> Iterator[TransactionPooler]:
    pooler = TransactionPooler(url, folder, size)
    try:
        yield pooler
    finally:
        pooler.close()
