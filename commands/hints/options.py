"""Options that the commands about hints share."""

from __future__ import annotations

from typing import Annotated

import typer

from ...runtime.request_limits import LARGEST_KEY
from ..completion import complete_hint

ModelOption = Annotated[
    str | None, typer.Option(metavar="MODEL", help="The ranking model. Default: RE2LLM_MODEL.")
]
HintArgument = Annotated[
    int,
    typer.Argument(
        max=LARGEST_KEY,
        metavar="HINT",
        help="The hint's number.",
        autocompletion=complete_hint,
    ),
]
HintsArgument = Annotated[
    list[int],
    typer.Argument(
        max=LARGEST_KEY, metavar="HINT", help="Numbers of hints.", autocompletion=complete_hint
    ),
]
