"""The host's own package; re2llm has one of the same name."""
