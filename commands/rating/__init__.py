"""The commands about ratings: `re2llm rate` and `re2llm rater …`."""
