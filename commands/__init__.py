"""The commands of `re2llm`, one per file; `cli.py` gathers them."""
