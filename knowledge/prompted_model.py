"""A ranking model together with how it is asked: what is learned of hints holds for such a pair."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam

from .schema.decisions import HintDecisionRow
from .schema.fusions import FusionRow
from .schema.log import LlmBatchRow
from .schema.tables import HintStatsRow, ReleaseRow, TrialRow

_Row = type[FusionRow | HintDecisionRow | HintStatsRow | LlmBatchRow | ReleaseRow | TrialRow]


@dataclass(frozen=True, slots=True)
class PromptedModel:
    """A ranking model and the version of its prompt.

    Attributes:
        model: Name of the model.
        prompt_version: Version of the ranking prompt.
    """

    model: str
    prompt_version: str

    @property
    def columns(self) -> dict[str, str]:
        """Both by their columns' names, which are also the parameters of `of_model`."""
        return {"model": self.model, "prompt_version": self.prompt_version}


def of_model(row: _Row, prompted_model: PromptedModel | None = None) -> ColumnElement[bool]:
    """Return whether a row is of one model and prompt.

    Args:
        row: The table.
        prompted_model: Both; `None` takes them from the statement's parameters, for one that is
            written once.
    """
    if prompted_model is None:
        return and_(
            row.model == bindparam("model"), row.prompt_version == bindparam("prompt_version")
        )
    return and_(
        row.model == prompted_model.model, row.prompt_version == prompted_model.prompt_version
    )
