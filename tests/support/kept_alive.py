"""A model server on loopback that keeps its connections open, as real ones do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from fault_server import backwards, completion


@dataclass
class KeptAlive:
    """A server; also takes requests as a proxy.

    Attributes:
        url: Its base URL.
        asked: The path and the authorization of each request.
        open: Connections that are open.
    """

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    open: set[int] = field(default_factory=set[int])

    def closes(self) -> bool:
        """Wait until no connection is open, for up to five seconds."""
        ends = time.monotonic() + 5
        while self.open and time.monotonic() < ends:
            time.sleep(0.01)
        return not self.open


@contextmanager
def kept_alive() -> Iterator[KeptAlive]:
    """Serve in a thread."""
    kept = KeptAlive()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
            pass

        def setup(self) -> None:
            kept.open.add(id(self))
            super().setup()

        def finish(self) -> None:
            super().finish()
            kept.open.discard(id(self))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            key = self.headers.get("authorization") or self.headers.get("api-key") or ""
            kept.asked.append((self.path, key))
            answer = completion({"role": "assistant", "content": backwards(body)})
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that is gone

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
