"""The command `re2llm`, also as `python -m re2llm`."""

from __future__ import annotations

import gc
import os
import sys

from .commands.interrupts import exit_code, leave_at_once, leave_threads

_NEW_OBJECTS = 20_000
"""New objects after which Python looks for garbage. Its own 700 cost a tenth of `demo`, since
whole catalogues and sessions stay in memory and are looked through each time."""


def main() -> None:
    """Run the command line."""
    _open_closed_streams()
    leave_at_once()  # before the imports, which take a good part of a second
    gc.set_threshold(_NEW_OBJECTS)
    # Read when numpy is loaded. Its products are small here: more threads only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .cli import app  # noqa: PLC0415

    try:
        app(prog_name="re2llm")
    except SystemExit as ended:
        if ended.code == exit_code():
            leave_threads()
        raise


def _open_closed_streams() -> None:
    """Open the standard streams that the caller has closed, such as by `<&-`, on nothing.

    Else the next file or connection would get their numbers, and be written to as a stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115  # for good
            setattr(sys, name, stream)


if __name__ == "__main__":
    main()
