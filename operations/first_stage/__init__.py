"""The ranker learned from past sessions, and what the model adds to it."""
