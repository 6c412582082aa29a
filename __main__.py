"""The command `re2llm`, also as `python -m re2llm`."""

from __future__ import annotations

from .commands.interrupts import leave_at_once


def main() -> None:
    """Run the command line."""
    leave_at_once()  # before the imports, which take a good part of a second
    from .cli import app  # noqa: PLC0415

    app(prog_name="re2llm")


if __name__ == "__main__":
    main()
