"""The column type of embeddings: they are read as the database holds them, not as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pgvector
from numpy.typing import NDArray
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import ColumnElement, Dialect, func

EMBEDDING_DIM = 384
"""Width of the sentence embeddings (all-MiniLM-L6-v2)."""


class Embedding(VECTOR):
    """A vector whose values are arrays of float32, shape `[384]`.

    Its text form takes five times as long to make and to parse.
    """

    cache_ok = True

    def __init__(self, dim: int = EMBEDDING_DIM) -> None:
        super().__init__(dim)

    def column_expression(self, colexpr: ColumnElement[Any]) -> ColumnElement[Any]:
        """Ask for the binary form wherever the column is selected."""
        return func.vector_send(colexpr, type_=self)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[bytes | None], NDArray[np.float32] | None]:
        """Return what reads the binary form."""
        del dialect, coltype
        return _read


def _read(value: bytes | None) -> NDArray[np.float32] | None:
    return None if value is None else pgvector.Vector.from_binary(value).to_numpy()
