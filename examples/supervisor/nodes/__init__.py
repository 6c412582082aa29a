"""The host's own package, which happens to be called as one of re2llm's."""
