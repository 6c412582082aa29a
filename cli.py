"""The command line: gathers the commands of `re2llm.commands`."""

from __future__ import annotations

from typing import Annotated

import typer

from .commands.autopilot import autopilot
from .commands.costs import costs
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.domains import domains
from .commands.evaluate import evaluate
from .commands.feedback import feedback
from .commands.groups import CommandGroup
from .commands.hints.group import hints
from .commands.items import items
from .commands.jobs import jobs
from .commands.keys import keys
from .commands.learn import learn
from .commands.load import load
from .commands.mcp import mcp
from .commands.measure import measure
from .commands.policy.group import policy
from .commands.purge import purge
from .commands.rating.group import rater
from .commands.rating.rate import rate
from .commands.recommend import recommend
from .commands.serve import serve
from .commands.sessions import sessions
from .commands.train import train
from .commands.worker import worker

app = CommandGroup(
    name="re2llm",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415  # takes longer than most help

        typer.echo(version("re2llm"))
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Recommend, and teach a chat LLM to do it better without fine-tuning."""


app.command()(demo)
app.command()(doctor)
app.command()(load)
app.command()(measure)
app.command()(learn)
app.command()(train)
app.command()(recommend)
app.command()(feedback)
app.command()(evaluate)
app.command()(serve)
app.command()(mcp)
app.command()(worker)
app.command()(rate)
app.command()(costs)
app.command()(purge)
app.add_typer(domains, name="domains")
app.add_typer(items, name="items")
app.add_typer(sessions, name="sessions")
app.add_typer(hints, name="hints")
app.add_typer(policy, name="policy")
app.add_typer(rater, name="rater")
app.add_typer(jobs, name="jobs")
app.add_typer(autopilot, name="autopilot")
app.add_typer(keys, name="keys")
