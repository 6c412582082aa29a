"""`python -m re2llm` is the command `re2llm`."""

from .cli import app

if __name__ == "__main__":
    app(prog_name="re2llm")
