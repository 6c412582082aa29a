"""`re2llm policy`: the releases of the learned hint policy."""

from __future__ import annotations

from ..groups import CommandGroup
from .canary import canary
from .diff import diff
from .evaluate import evaluate
from .manage import activate, list_, rollback, show

policy = CommandGroup(
    help="List, show, evaluate, activate and roll back policy releases.", no_args_is_help=True
)
policy.command("list")(list_)
policy.command("show")(show)
policy.command("activate")(activate)
policy.command("rollback")(rollback)
policy.command("evaluate")(evaluate)
policy.command("canary")(canary)
policy.command("diff")(diff)
