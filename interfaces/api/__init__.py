"""The HTTP API of `re2llm serve`, which the LangGraph server serves, too."""
