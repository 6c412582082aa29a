"""The evidence that the model is shown, in numbers and in words.

Where the model alone decides, what the first stage expects is one more kind. Elsewhere its order
says the same: the prompt lists the candidates in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import Floats
from ..knowledge.sessions.evidence import EVIDENCE, named
from ..runtime.options import RunOptions

EXPECTED = "expected"
"""Name of the first stage's estimate in prompts."""
WITH_EXPECTED: Mapping[str, str] = {
    **EVIDENCE,
    EXPECTED: "how likely it is according to past sessions and attributes together; "
    "the estimate that weighs all of them",
}
"""The kinds of evidence if the model alone decides, and what each means."""


def meanings(options: RunOptions) -> Mapping[str, str]:
    """Return the kinds of evidence that the model is shown, and what each means."""
    return WITH_EXPECTED if options.fuse == "llm" else EVIDENCE


def shown_evidence(
    table: Floats, first_stage: Floats, options: RunOptions
) -> list[dict[str, float]]:
    """Return the numbers beside each candidate, by kind.

    Args:
        table: Evidence, shape `[candidates, kinds]`, the kinds as in `EVIDENCE`.
        first_stage: Its scores, shape `[candidates]`. Shown by their distance from the lowest, as
            numbers whose logarithms, which prompts show, lie as far apart as the scores.
    """
    rows = named(table)
    if EXPECTED not in meanings(options):
        return rows
    estimates = np.expm1(first_stage - first_stage.min()).round(4).tolist()
    return [{**row, EXPECTED: estimate} for row, estimate in zip(rows, estimates, strict=True)]
