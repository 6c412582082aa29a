"""Prints every route of the LangGraph server with our application, as JSON: path and methods."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HTTP = json.loads((Path(__file__).parents[2] / "langgraph.json").read_text())["http"]
os.environ |= {
    "DATABASE_URI": ":memory:",
    "LANGGRAPH_DISABLE_FILE_PERSISTENCE": "true",
    "LANGGRAPH_HTTP": json.dumps(HTTP),
    "LANGGRAPH_RUNTIME_EDITION": "inmem",
    "LANGSERVE_GRAPHS": "{}",
    "LANGSMITH_LANGGRAPH_API_VARIANT": "local_dev",
    "MIGRATIONS_PATH": "__inmem",
    "N_JOBS_PER_WORKER": "1",
    "REDIS_URI": "fake",
}


def walk(routes: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    for route in routes:
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "routes", None)
        if inner:
            yield from walk(inner, path)
        else:
            yield path, sorted(getattr(route, "methods", None) or ["GET", "POST", "DELETE"])


if __name__ == "__main__":
    from langgraph_api.server import app

    print(json.dumps(list(walk(app.routes))))  # noqa: T201
