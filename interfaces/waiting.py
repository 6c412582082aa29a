"""Makes methods for callers without an event loop out of coroutine methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class Runner(Protocol):
    """Runs coroutines on a thread of its own."""

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine to its end and return its result."""
        ...


def waiting(
    method: Callable[Concatenate[Any, _Params], Awaitable[_Result]],
) -> Callable[Concatenate[Runner, _Params], _Result]:
    """Return a method that does the same and waits; callbacks run on the object's own thread.

    Args:
        method: A coroutine method whose name begins with `a`.
    """

    @wraps(method)
    def wait(self: Runner, *args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
        # By name, so that a subclass that changes one of the two changes both.
        return self.run(partial(getattr(self, method.__name__), *args, **kwargs))

    wait.__name__ = method.__name__.removeprefix("a")
    wait.__qualname__ = wait.__name__
    wait.__doc__ = f"Wait for `{method.__name__}`, whose arguments it takes."
    return wait
