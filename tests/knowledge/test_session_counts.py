"""Sums over sessions are those of the whole matrix."""

from __future__ import annotations

import numpy as np
from re2llm.knowledge.sessions.session_counts import summed
from scipy import sparse


def test_a_weighted_sum_of_rows_is_that_of_the_dense_matrix() -> None:
    rng = np.random.default_rng(0)
    for rows, columns in ((1, 1), (7, 30), (40, 5), (3, 200), (0, 4)):
        dense = rng.integers(0, 4, (rows, columns)) * (rng.random((rows, columns)) < 0.3)
        taken = rng.integers(0, rows, 2 * rows) if rows else np.zeros(0, dtype=np.int64)
        weights = rng.normal(size=len(taken))
        found = summed(sparse.csr_array(dense.astype(np.float64)), taken, weights)
        assert found.shape == (columns,)
        np.testing.assert_allclose(found, weights @ dense[taken], rtol=1e-12, atol=1e-12)


def test_a_row_counts_as_often_as_it_is_taken() -> None:
    matrix = sparse.csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 5.0, 0.0]]))
    assert summed(matrix, np.array([0, 0, 1]), np.ones(3)).tolist() == [2.0, 5.0, 4.0]
    assert summed(matrix, np.zeros(0, dtype=np.int64), np.ones(0)).tolist() == [0.0, 0.0, 0.0]
