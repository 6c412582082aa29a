"""The types of embeddings: they are read as the database holds them, and quickly sent as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pgvector
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import ColumnElement, Dialect, func

EMBEDDING_DIM = 384
"""Width of the sentence embeddings (all-MiniLM-L6-v2)."""


class Embedding(VECTOR):
    """A vector whose values are arrays of float32, shape `[384]`.

    Its text form takes five times as long to parse.
    """

    cache_ok = True

    def __init__(self, dim: int = EMBEDDING_DIM) -> None:
        super().__init__(dim)

    def column_expression(self, colexpr: ColumnElement[Any]) -> ColumnElement[Any]:
        """Ask for the binary form wherever the column is selected."""
        return func.vector_send(colexpr, type_=self)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Return what writes the text form."""
        del dialect
        return _written

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[bytes | None], NDArray[np.float32] | None]:
        """Return what reads the binary form."""
        del dialect, coltype
        return _read


class QueryVector(HALFVEC):
    """The vector of a search by meaning, where an index holds numbers of half the precision."""

    cache_ok = True

    def __init__(self) -> None:
        super().__init__(EMBEDDING_DIM)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Return what writes the text form."""
        del dialect
        return _written


def _written(value: Any) -> str | None:
    """Write a vector as text, which Python's own numbers take fifteen times as long for."""
    if value is None:
        return None
    numbers = np.ascontiguousarray(value, dtype=np.float32)
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _read(value: bytes | None) -> NDArray[np.float32] | None:
    return None if value is None else pgvector.Vector.from_binary(value).to_numpy()
