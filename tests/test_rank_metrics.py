"""One formula for the worth of a rank, for single ranks and for arrays of them."""

import math
from importlib import import_module
from itertools import chain

import numpy as np
import pytest
from re2llm.evaluation.metrics import score_ranks
from re2llm.rank_metrics import CUTOFF, ndcg, ndcgs

RANKS = np.arange(1, 25).reshape(4, 6)


def test_one_rank_is_worth_the_same_alone_and_among_others() -> None:
    alone = [[ndcg(rank) for rank in row] for row in RANKS.tolist()]
    assert ndcgs(RANKS).tolist() == alone
    assert score_ranks(RANKS.ravel(), ["ndcg@10"])["ndcg@10"].tolist() == [*chain(*alone)]
    assert all(type(worth) is float for row in alone for worth in row)


def test_a_rank_counts_up_to_the_cutoff() -> None:
    assert ndcg(1) == 1
    assert ndcg(CUTOFF) == pytest.approx(1 / math.log2(CUTOFF + 1))
    assert ndcg(CUTOFF + 1) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_older_home_has_it_still() -> None:
    old = import_module("re2llm.knowledge.trials")
    assert (old.CUTOFF, old.hit_ranks(20), old.ndcg) == (CUTOFF, 4, ndcg)
