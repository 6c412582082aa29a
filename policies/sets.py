"""Sets of hints as rows of actions: action `i + 1` gives hint `i`, 0 gives none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Actions = NDArray[np.int64]
"""One action for each session, `[B]`; or several hints for each, `[B, K]`, with 0 for none."""


def hint_sets(actions: Actions) -> list[tuple[int, ...]]:
    """Return the hints that each session is given, by their actions, ascending.

    Args:
        actions: `[B]` or `[B, K]`.
    """
    rows = actions.reshape(len(actions), -1)
    return [tuple(sorted(action for action in row if action)) for row in rows.tolist()]
