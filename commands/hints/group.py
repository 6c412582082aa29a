"""`re2llm hints`: the hints of a domain."""

from __future__ import annotations

from ..groups import CommandGroup
from .add import add
from .exchange import export, import_
from .improve import improve
from .manage import approve, list_, retire
from .show import show
from .tidy import tidy
from .verify import try_, verify

hints = CommandGroup(
    help="List, add, try, verify, improve, tidy and retire hints.",
    no_args_is_help=True,
)
hints.command("add")(add)
hints.command("try")(try_)
hints.command("verify")(verify)
hints.command("improve")(improve)
hints.command("tidy")(tidy)
hints.command("list")(list_)
hints.command("show")(show)
hints.command("approve")(approve)
hints.command("retire")(retire)
hints.command("export")(export)
hints.command("import")(import_)
