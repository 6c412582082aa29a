"""A Unix socket that passes everything on to PostgreSQL's, until it is cut."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, make_url


def _fatal(code: str, message: str) -> bytes:
    """Return an ErrorResponse of PostgreSQL's protocol, 3.0."""
    fields = ["SFATAL", "VFATAL", f"C{code}", f"M{message}"]
    body = b"".join(field.encode() + b"\0" for field in fields) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


class DatabaseProxy:
    """Runs in a thread of its own; `cut` ends every connection and refuses new ones.

    Attributes:
        full: Answer new connections as a server does that has none left.
    """

    def __init__(self, url: str, folder: Path) -> None:
        behind = make_url(url)
        self._target = str(Path(str(behind.query["host"])) / ".s.PGSQL.5432")
        self._path = folder / ".s.PGSQL.5432"
        self.url: URL = behind.set(query={**behind.query, "host": str(folder)})
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.full = False
        self.open()

    def open(self) -> None:
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._path.unlink(missing_ok=True)
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if self.full:
                    client.recv(65_536)
                    client.sendall(_fatal("53300", "sorry, too many clients already"))
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(url: str, folder: Path) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(url, folder)
    try:
        yield proxy
    finally:
        proxy.cut()
