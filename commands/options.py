"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ..runtime.request_limits import LARGEST_COUNT, LARGEST_KEY, LARGEST_SEED
from .completion import complete_domain, complete_release

DomainOption = Annotated[
    str | None,
    typer.Option(
        metavar="DOMAIN",
        help="The domain's name. Default: RE2LLM_DOMAIN, or the only one there is.",
        autocompletion=complete_domain,
    ),
]
ReleaseArgument = Annotated[
    int,
    typer.Argument(
        max=LARGEST_KEY,
        metavar="RELEASE",
        help="The release's number.",
        autocompletion=complete_release,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(min=0, max=LARGEST_SEED, metavar="N", help="Default: RE2LLM_SEED."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
MaxCalls = Annotated[
    int | None,
    typer.Option(
        "--max-llm-calls",
        min=1,
        max=LARGEST_KEY,
        metavar="N",
        help="Stop after this many model calls.",
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(min=1, max=LARGEST_COUNT, metavar="N", help="Stop after this many tokens."),
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
    Literal["learned", "llm", "first_stage", "sum"] | None,
    typer.Option(
        metavar="NAME",
        help="What decides the order: learned, llm, first_stage or sum. Default: RE2LLM_FUSE.",
    ),
]
