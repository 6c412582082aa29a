"""A real HTTP server on loopback that speaks OpenAI's Batch API beside chat completions."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
WORDS = ("validating", "in_progress", "finalizing")


def forwards(body: Body) -> str:
    """Rank the candidates as they are numbered."""
    shown = str(body["messages"][1]["content"])
    count = len(re.findall(r"(?m)^\d+\|", shown))
    return json.dumps({"ranking": list(range(1, count + 1))})


@dataclass
class Sent:
    """One batch."""

    id: str
    file: str
    end: str
    looks: int = 0
    output: str | None = None
    errors: str | None = None


@dataclass
class BatchServer:
    """Answers single calls at once, and batches after some looks at them."""

    answer: Callable[[Body], str] = forwards
    ends: deque[str] = field(default_factory=deque)
    """How the next batches end; `completed` if there is nothing left."""
    broken: Callable[[int], Body | None] = lambda _: None
    """By the place of a question in its batch: the `response` and `error` of its line, if bad."""
    reached: Callable[[int], bool] = lambda _: True
    """By its place: whether a batch gets to a question before it expires or is cancelled."""
    noise: str = ""
    """What stands at the start of each file of answers."""
    looks: int = len(WORDS)
    """After which a batch ends."""
    fails: dict[str, deque[int]] = field(default_factory=dict)
    """By route, statuses with which the next requests are answered. 599 does what it is asked to,
    and answers with an error."""
    unsupported: set[str] = field(default_factory=set)
    """Kinds of `response_format` that it does not know."""
    logprobs: Callable[[Body], Any] | None = None
    """What an answer holds as `logprobs` if a question asks for them; `None` for nothing."""
    called: list[str] = field(default_factory=list)
    """Routes of all requests."""
    single: list[Body] = field(default_factory=list)
    batches: list[Sent] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def questions(self, place: int = -1) -> list[Body]:
        """Return the lines of a batch's file."""
        return [json.loads(line) for line in self.files[self.batches[place].file].splitlines()]

    @contextmanager
    def running(self) -> Iterator[BatchServer]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.serve(self, b"")

            def do_DELETE(self) -> None:
                outer.serve(self, b"")

            def do_POST(self) -> None:
                outer.serve(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)

    def serve(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        with self._lock:
            path = handler.path.partition("?")[0].removeprefix("/v1")
            route = f"{handler.command} {re.sub(r'/(file|batch)-[^/]+', '/ID', path)}"
            self.called.append(route)
            planned = self.fails.get(route)
            status = planned.popleft() if planned else 200
            if status in {200, 599}:
                found, body = self._do(route, path, content)
                status = found if status == 200 else 500
            else:
                body = {"error": {"message": "planned", "code": None}}
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    def _do(self, route: str, path: str, content: bytes) -> tuple[int, Body | str]:
        routes: dict[str, Callable[[str, bytes], tuple[int, Body | str]]] = {
            "POST /chat/completions": self._chat,
            "POST /files": self._upload,
            "POST /batches": self._create,
            "GET /batches": self._list,
            "GET /batches/ID": self._retrieve,
            "GET /files/ID/content": self._content,
            "DELETE /files/ID": self._delete,
        }
        if route not in routes:
            return 404, {"error": {"message": "no such route"}}
        return routes[route](path, content)

    def _chat(self, _: str, content: bytes) -> tuple[int, Body]:
        body = json.loads(content)
        self.single.append(body)
        if body.get("response_format", {}).get("type") in self.unsupported:
            return 400, {"error": {"message": "response_format is unsupported here"}}
        return 200, self._completion(body)

    def _upload(self, _: str, content: bytes) -> tuple[int, Body]:
        text = content.split(b"\r\n\r\n{", 1)[1].split(b"\r\n--", 1)[0]
        name = f"file-{len(self.files)}"
        self.files[name] = "{" + text.decode()
        return 200, {
            "id": name,
            "object": "file",
            "bytes": len(text),
            "created_at": 1,
            "filename": "questions.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def _content(self, path: str, _: bytes) -> tuple[int, Body | str]:
        name = path.split("/")[2]
        if name in self.deleted:
            return 404, {"error": {"message": "gone"}}
        return 200, self.files[name]

    def _delete(self, path: str, _: bytes) -> tuple[int, Body]:
        name = path.split("/")[2]
        self.deleted.add(name)
        return 200, {"id": name, "object": "file", "deleted": True}

    def _create(self, _: str, content: bytes) -> tuple[int, Body]:
        end = self.ends.popleft() if self.ends else "completed"
        sent = Sent(f"batch-{len(self.batches)}", json.loads(content)["input_file_id"], end)
        self.batches.append(sent)
        return 200, self._shown(sent, "validating")

    def _list(self, *_: object) -> tuple[int, Body]:
        listed = [self._shown(sent, "in_progress") for sent in reversed(self.batches)]
        return 200, {"object": "list", "data": listed, "has_more": False}

    def _retrieve(self, path: str, _: bytes) -> tuple[int, Body]:
        sent = next((sent for sent in self.batches if path.endswith(f"/{sent.id}")), None)
        if sent is None:
            return 404, {"error": {"message": "none"}}
        return 200, self._look(sent)

    def _look(self, sent: Sent) -> Body:
        sent.looks += 1
        if sent.looks <= self.looks:
            return self._shown(sent, WORDS[min(sent.looks, len(WORDS)) - 1])
        if sent.output is None and sent.end != "failed":
            self._finish(sent)
        return self._shown(sent, sent.end)

    def _finish(self, sent: Sent) -> None:
        good, bad = [self.noise] if self.noise else [], []
        for place, line in enumerate(self.files[sent.file].splitlines()):
            asked = json.loads(line)
            said = {"id": f"r-{place}", "custom_id": asked["custom_id"], "error": None}
            broken = self.broken(place)
            if sent.end in {"expired", "cancelled"} and not self.reached(place):
                error = {"code": f"batch_{sent.end}", "message": "not reached"}
                bad.append({**said, "response": None, "error": error})
            elif broken is not None:
                bad.append({**said, "response": None, **broken})
            else:
                response = {"status_code": 200, "body": self._completion(asked["body"])}
                good.append(json.dumps({**said, "response": response}))
        sent.output, sent.errors = f"file-{sent.id}-out", f"file-{sent.id}-err"
        # In any order, as the provider says.
        self.files[sent.output] = "\n".join(reversed(good)) + "\n"
        self.files[sent.errors] = "".join(json.dumps(line) + "\n" for line in bad)

    def _shown(self, sent: Sent, status: str) -> Body:
        lines = self.files[sent.file].count("\n")
        ended = status not in WORDS
        counts = {"total": lines, "completed": lines if ended else 0, "failed": 0}
        errors = {"data": [{"code": "token_limit_exceeded", "message": "sk-secret"}]}
        return {
            "id": sent.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": 1,
            "input_file_id": sent.file,
            "status": status,
            "request_counts": counts,
            "errors": errors if status == "failed" else None,
            "output_file_id": sent.output if ended else None,
            "error_file_id": sent.errors if ended else None,
        }

    def _completion(self, body: Body) -> Body:
        message = {"role": "assistant", "content": self.answer(body)}
        choice: Body = {"index": 0, "message": message, "finish_reason": "stop"}
        if body.get("logprobs") and self.logprobs is not None:
            choice["logprobs"] = self.logprobs(body)
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": USAGE,
        }
