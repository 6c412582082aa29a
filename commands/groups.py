"""Groups of commands whose `--help` names what to write, not the types of Python."""

from __future__ import annotations

import copy
import errno
import itertools
import os
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_name
from typer.models import CommandInfo

from ..errors import InputError
from ..runtime.request_limits import LARGEST_COUNT, LARGEST_KEY
from .console import (
    fail,
    interrupted,
    print_error_as_json,
    result_as_json,
    say_only_domain,
)
from .interrupts import interruptible_work
from .misuse import Misuse, UsageError, misuse_of, without_value
from .option_names import spelled_by

# A number is short: without an end, a long row of digits would take quadratic time.
_BETWEEN = re.compile(r"(?<![\d.])([\d.]{1,20})<=x<=([\d.]{1,20})")
_TO_THE_LARGEST = re.compile(rf"(?<![\d.])(\d{{1,20}})<=x<=(?:{LARGEST_KEY}|{LARGEST_COUNT})\b")
_AT_LEAST = re.compile(r"\bx>=([\d.]{1,20})")

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FILE_TROUBLE = {
    *(*_FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR),
    *(errno.ENAMETOOLONG, errno.ELOOP),
}
"""What a person can put right; any other error is ours."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class CommandGroup(typer.Typer):
    """A group of commands; the options are Typer's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[_Function], _Function]:
        """Register a function as a command; the options are Typer's."""
        return super().command(name, cls=_Command, **options)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the command line; given no arguments, the process's own.

        Of those, only the command or group that they name is built, for Typer takes as long to
        build them all as one of them takes to start.
        """
        asked = "" if args or "args" in options or len(sys.argv) == 1 else sys.argv[1]
        commands = [one for one in self.registered_commands if _name_of(one) == asked]
        groups = [one for one in self.registered_groups if one.name == asked]
        some = copy.copy(self)
        if commands or groups:
            some.registered_commands, some.registered_groups = commands, groups
        return super(CommandGroup, some).__call__(*args, **options)


class _Group(TyperGroup):
    """A group that says in one line what it cannot use."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:  # it prints its help
            return super().parse_args(ctx, args)
        with _told_in_one_line(ctx, as_json="--json" in args):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with _told_in_one_line(ctx, as_json="--json" in args):
            return super().resolve_command(ctx, args)


class _Command(TyperCommand):
    """A command whose arguments are shown by their names alone: `FILE`, not `{FILE} <path>`."""

    def invoke(self, ctx: Any) -> Any:
        if ctx.params.get("domain", "") is None:
            say_only_domain()
        wanted = ctx.params.get("as_json") or str(ctx.params.get("json_file")) == "-"
        with result_as_json(bool(wanted)):
            try:
                with spelled_by(self.params), interruptible_work():
                    return super().invoke(ctx)
            except KeyboardInterrupt:  # before the command's work began, or outside its event loop
                interrupted()
            except OSError as error:
                if error.errno not in _FILE_TROUBLE:
                    raise
                fail(_in_one_line(error))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _told_in_one_line(ctx, as_json=self._asks_for_json(args)):
            self._check_values(ctx, args)
            return super().parse_args(ctx, args)

    def _check_values(self, ctx: Any, args: list[str]) -> None:
        """Refuse an option, or what looks like one, where an option's value belongs.

        Typer would take it for the value, and write a file of that name.
        """
        options = [one for one in self.get_params(ctx) if one.param_type_name == "option"]
        every = {name for one in options for name in (*one.opts, *one.secondary_opts)}
        valued = {
            name for one in options if not getattr(one, "is_flag", False) for name in one.opts
        }
        for name, value in itertools.pairwise(itertools.takewhile("--".__ne__, args)):
            if name in valued and (value in every or value.startswith("--")):
                meant = "" if value in every else value
                raise Misuse(without_value(name, ctx, instead=meant))

    def _asks_for_json(self, args: list[str]) -> bool:
        """Whether arguments that may not fit ask for JSON on standard output."""
        takes_file = any(
            "--json" in one.opts and not getattr(one, "is_flag", False) for one in self.params
        )
        if not takes_file:
            return "--json" in args
        return "--json=-" in args or ("--json", "-") in itertools.pairwise(args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                records[parameter.param_type_name].append(record)
        for heading, rows in (
            ("Arguments", [(name.partition(" <")[0], text) for name, text in records["argument"]]),
            ("Options", records["option"]),
        ):
            if rows:
                with formatter.section(heading):
                    formatter.write_dl([(name, _in_words(text)) for name, text in rows])


@contextmanager
def _told_in_one_line(ctx: Any, *, as_json: bool) -> Generator[None]:
    try:
        yield
    except UsageError as error:
        misuse = error if isinstance(error, Misuse) else misuse_of(error, ctx)
        with result_as_json(as_json):
            print_error_as_json(misuse.error.as_dict())
        raise misuse from None


def _in_one_line(error: OSError) -> InputError:
    if error.errno in _FULL:
        problem = f"{error.filename or 'The output'} cannot be written ({error.strerror})."
        return InputError("disk", problem, "Free some space, or write elsewhere.")
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "A file"
    problem = f"{name} cannot be used ({error.strerror})."
    return InputError("file", problem, "Change its rights, or name another.")


def _name_of(command: CommandInfo) -> str | None:
    """Return a command's name as Typer makes it."""
    if command.name or command.callback is None:
        return command.name
    return get_command_name(command.callback.__name__)


def _in_words(text: str) -> str:
    """Say the range of a number in words: `at least 1`, not `x>=1`.

    That a number in the database is not beyond its largest goes without saying.
    """
    text = text.replace(f"  [x<={LARGEST_KEY}]", "").replace(f"[x<={LARGEST_KEY}; ", "[")
    text = _TO_THE_LARGEST.sub(r"x>=\1", text)
    return _AT_LEAST.sub(r"at least \1", _BETWEEN.sub(r"\1 to \2", text))
