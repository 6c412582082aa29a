"""The first stage: a ranker learned from past sessions alone, without a language model."""
