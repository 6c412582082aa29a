"""What the measured server serves besides our graphs: an empty graph, and measurements."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from re2llm.interfaces.http_app import app
from sqlalchemy import event
from sqlalchemy.pool import Pool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """Takes what `recommend` takes."""

    domain: str
    history: list[str]
    flags: list[str]


class Connections:
    """Counts the connections that the process's pools have lent."""

    def __init__(self) -> None:
        self.lent = self.most = 0
        event.listen(Pool, "checkout", self._out)
        event.listen(Pool, "checkin", self._in)

    def _out(self, *_: Any) -> None:
        self.lent += 1
        self.most = max(self.most, self.lent)

    def _in(self, *_: Any) -> None:
        self.lent -= 1


async def answer(state: State) -> State:
    """Do nothing."""
    del state
    return {"flags": []}


async def measurements(request: Request) -> JSONResponse:
    """Say how many connections were lent at the same time."""
    del request
    return JSONResponse({"connections": connections.most})


connections = Connections()
builder: Any = StateGraph(State)
builder.add_node("answer", answer)
builder.add_edge(START, "answer")
builder.add_edge("answer", END)
nothing = builder.compile()
app.router.routes.append(Route("/measurements", measurements))
