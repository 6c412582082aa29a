"""The rows that the speed of training is measured on."""

from films import write_films
from re2llm.benchmarks.rater_tokens import rows_of
from re2llm.rating.corpus import ReviewSource


def test_rows_are_spread_over_the_ratings_and_at_most_all_of_them(tmp_path):
    source = ReviewSource(path=str(write_films(tmp_path / "films")), split="mixed")
    corpus = source.corpus(source.limits())
    ratings = len(corpus.split.train)
    assert len(rows_of(corpus, 8)) == 8
    every = rows_of(corpus, ratings + 1)
    assert len(every) == ratings
    assert rows_of(corpus, 2) == [every[0], every[ratings // 2]]
