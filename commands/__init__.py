"""The commands of `re2llm`, one a file; `cli.py` gathers them."""
