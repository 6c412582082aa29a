"""One formula for the worth of a rank, for single ranks and for arrays of them."""

import math
from importlib import import_module
from itertools import chain

import numpy as np
import pytest
from re2llm.evaluation.metrics import score_ranks
from re2llm.knowledge.hint_store.trials import hit_ranks_of
from re2llm.rank_metrics import CUTOFF, hit_ranks, ndcg, ndcgs
from re2llm.runtime.services import Services
from sqlalchemy import Integer, func, select

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


@pytest.mark.parametrize(
    ("candidates", "hits"), [(1, 1), (3, 1), (5, 1), (6, 2), (20, 4), (46, 10), (50, 10), (500, 10)]
)
def test_a_hit_is_among_the_best_fifth_but_never_below_the_cutoff(
    candidates: int, hits: int
) -> None:
    assert hit_ranks(candidates) == hits


async def test_the_database_counts_the_same_ranks_as_hits(services: Services) -> None:
    many = func.generate_series(1, 60).column_valued("many")
    async with services.engine.connect() as connection:
        found = await connection.execute(select(many, hit_ranks_of(many.cast(Integer))))
    assert dict(found.all()) == {n: hit_ranks(n) for n in range(1, 61)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_older_home_has_it_still() -> None:
    old = import_module("re2llm.knowledge.trials")
    assert (old.CUTOFF, old.hit_ranks(20), old.ndcg) == (CUTOFF, 4, ndcg)
