"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

MaxCalls = Annotated[
    int | None,
    typer.Option("--max-llm-calls", min=1, metavar="N", help="Stop after this many model calls."),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="AMOUNT",
        help="Stop when this much is spent, at the prices in RE2LLM_PRICES.",
    ),
]
InBatches = Annotated[
    bool,
    typer.Option("--batch", help="Ask in provider batches: at a lower price, within a day."),
]

Fuse = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What decides the order: learned, llm, first_stage or sum. Default: RE2LLM_FUSE.",
    ),
]
