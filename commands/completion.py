"""Shell completion of domains, hints and releases."""

from __future__ import annotations

import typer


def complete_domain(incomplete: str) -> list[tuple[str, str]]:
    """Offer the names of domains."""
    from ..operations.catalogue.names import names_starting_with

    return names_starting_with(incomplete, "domain")


def complete_hint(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the numbers of the domain's hints, with their texts."""
    from ..operations.catalogue.names import names_starting_with

    return names_starting_with(incomplete, "hint", domain=ctx.params.get("domain"))


def complete_release(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the numbers of the domain's releases, with their models."""
    from ..operations.catalogue.names import names_starting_with

    return names_starting_with(incomplete, "release", domain=ctx.params.get("domain"))
