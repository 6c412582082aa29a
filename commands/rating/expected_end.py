"""When a stage of a training will end, at the pace of its last updates."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from ...runtime.progress import Progress
from ..console import err

_LAST = 10
_A_DAY = 86_400
_STAGES = {"sft": "imitating", "grpo": "reinforcing"}
"""Names of a training's stages on the screen."""


class ExpectedEnd:
    """Tells the expected end of each stage, and prints it where no progress bar is shown.

    Args:
        now: Seconds, always growing.
        terminal: Whether progress bars are shown; else standard error gets a line now and then.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, *, terminal: bool | None = None
    ) -> None:
        self._now = now
        self._terminal = err.is_terminal if terminal is None else terminal
        self._stage = ""
        self._done: deque[tuple[float, int]] = deque(maxlen=_LAST)

    def note(self, stage: str, done: int, total: int | None) -> str:
        """Return when the stage will end, such as `ends about 14:05`; empty at its first update."""
        if stage != self._stage:
            self._stage = stage
            self._done.clear()
        self._done.append((self._now(), done))
        (began, first), (now, last) = self._done[0], self._done[-1]
        if total is None or last == first:
            return ""
        seconds = (total - last) * (now - began) / (last - first)
        when = datetime.now().astimezone() + timedelta(seconds=seconds)
        text = f"ends about {when:{'%H:%M' if seconds < _A_DAY else '%d %b %H:%M'}}"
        if not self._terminal and (last % _LAST == 0 or last == total):
            err.print(f"{stage}: {last} of {total}, {text}")
        return text


def with_expected_end(bars: Progress) -> Progress:
    """Return a callback for a training, which tells the bars when each stage will end."""
    ends = ExpectedEnd()

    def report(stage: str, done: int, total: int | None = None, note: str = "") -> None:
        told = ends.note(stage, done, total) if stage in _STAGES else note
        bars(_STAGES.get(stage, stage), done, total, told)

    return report
