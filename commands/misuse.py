"""Arguments that a command cannot use, said in one line like every other error."""

from __future__ import annotations

import shlex
from typing import IO, Any, get_args

import typer

from ..errors import InputError
from .console import print_error
from .option_names import spelling

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's private error for an option that does not exist, or a value that does not fit."""

_NO_COMMAND = "No such command "
_LISTED = {
    "DOMAIN": "domains list",
    "HINT": "hints list",
    "ITEM": "items search TEXT",
    "JOB": "jobs list",
    "KEY": "keys list",
    "NAME": "jobs schedules",
    "OTHER": "policy list",
    "RELEASE": "policy list",
    "--source": "sessions list",
}
"""What shows the things that an argument may name."""
_MAKES_ID = " `re2llm recommend ITEM --json` answers with one."
_TOO_MANY = "Got unexpected extra argument(s) ("


class Misuse(typer.BadParameter):
    """Arguments that do not fit; Typer shows it and exits with code 2.

    Args:
        error: What is wrong, in the words of the command.
    """

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.error = error

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002  # Typer's
        """Print the error as one line on standard error."""
        print_error(self.error)


def misuse_of(error: Any, ctx: Any) -> Misuse:
    """Return what Typer says of arguments as one line.

    Args:
        error: Typer's.
        ctx: The context of the command or the group that was called.
    """
    helps = f"`{ctx.command_path} --help` shows what there is."
    parameter = getattr(error, "param", None)
    message: str = error.message
    if parameter is not None:
        return Misuse(_unfit(parameter, error, helps))
    if hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        maybe = f" Did you mean {near}?" if near else ""
        return Misuse(InputError(error.option_name, f"There is no such option.{maybe}", helps))
    if hasattr(error, "option_name"):  # it takes a value, or none
        if "requires" not in message:
            return Misuse(InputError(error.option_name, "It takes no value.", helps))
        return Misuse(without_value(error.option_name, ctx))
    if message.startswith(_NO_COMMAND):
        problem = f"There is no {message.removeprefix(_NO_COMMAND)}"
        return Misuse(InputError("COMMAND", problem, helps))
    problem = f"{message.rstrip('.')}."
    if message.startswith(_TOO_MANY):
        problem = f"There is no place for {message[len(_TOO_MANY) : -1]!r}."
    return Misuse(InputError("arguments", problem, helps))


def without_value(option: str, ctx: Any, *, instead: str = "") -> InputError:
    """Return what to say of an option that was given without its value.

    Args:
        option: As it was written.
        ctx: The context of the command that was called.
        instead: What stands in the value's place and is no option, but looks like one.
    """
    remedy = f"`{ctx.command_path} --help` shows what there is."
    if option == "--json":  # a flag of most commands
        remedy = "Name a file, or `-` to print."
    if instead and option.startswith("--"):
        whole = shlex.quote(f"{option}={instead}")
        remedy += f" If {instead} is the value, write `{whole}`."
    return InputError(option, "It needs a value.", remedy)


def _unfit(parameter: Any, error: Any, helps: str) -> InputError:
    field = spelling(parameter)
    shown = f" `re2llm {_LISTED[field]}` shows what there is." if field in _LISTED else ""
    if field == "ID":  # of an answer; they are not listed
        shown = _MAKES_ID
    if hasattr(error, "param_type"):  # nothing was given
        kind = parameter.param_type_name
        what = f"{field} {parameter.metavar or ''}".strip() if kind == "option" else field
        return InputError(field, f"Missing {kind}.", f"Give {what}.{shown}")
    fits = _fitting(parameter)
    found: list[Any] = error.__cause__.errors() if hasattr(error.__cause__, "errors") else []
    if not found or not fits:
        return InputError(field, f"{error.message.rstrip('.')}.", helps)
    return InputError(field, f"{found[0]['input']!r} does not fit.", f"Give {fits}.{shown}")


def _fitting(parameter: Any) -> str:
    """Return what may be given, in words; empty where a type alone says too little."""
    takes = parameter.type_descriptor
    if takes.choices:
        return f"one of: {', '.join(str(getattr(one, 'value', one)) for one in takes.choices)}"
    kind = (*get_args(takes.annotation), takes.annotation)[0]
    number = {int: "a whole number", float: "a number"}.get(kind)
    if number is None:
        return ""
    low, high = parameter.min, parameter.max
    if low is not None and high is not None:
        return f"{number} from {low} to {high}"
    if low is not None:
        return f"{number} of at least {low}"
    return number if high is None else f"{number} of at most {high}"
