"""The context of a page: who asks, which catalogue is shown, and which may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import HTMLResponse

from ...errors import InputError
from ...operations.catalogue.domains import domain_names
from ...runtime.context import Context
from ...runtime.request_limits import DomainName
from ..api.callers import context_of
from .errors import NothingLoadedError
from .rendering import page

DomainChoice = Annotated[DomainName | None, Query(description="The domain's name.")]


@dataclass(frozen=True, slots=True)
class Visit:
    """A look at a page.

    Attributes:
        request: The request for the page.
        context: The context of the operations.
        domain: The one that is looked at.
        domains: The domains that the person may see.
    """

    request: Request
    context: Context
    domain: str
    domains: list[str]

    def page(self, template: str, /, *, code: int = 200, **values: Any) -> HTMLResponse:
        """Write a page of the catalogue.

        Args:
            template: Its file.
            code: The status of the response.
            **values: What the template shows.
        """
        named = {"domain": self.domain, "domains": self.domains}
        return page(self.request, template, code=code, **named, **values)


async def visit(request: Request, domain: str | None) -> Visit:
    """Find out what a page is about.

    Args:
        request: The request for the page.
        domain: Its name; `None` takes the settings', or else the first.

    Raises:
        InputError: There is no such domain that the person may see.
        NothingLoadedError: There is none at all.
    """
    context = replace(context_of(request), command="console")
    names, usual = await domain_names(context)
    if domain is not None and domain not in names:
        raise InputError("domain", f"There is no domain {domain!r}.", "Choose another.")
    if not names:
        raise NothingLoadedError
    chosen = domain or (usual if usual in names else names[0])
    return Visit(request, replace(context, domain=chosen), chosen, names)
