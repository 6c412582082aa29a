"""`re2llm hints show`: a hint, its gain, and where it comes from."""

from __future__ import annotations

import shlex
import textwrap
from typing import Annotated, Any

import typer

from ...records import counted
from ..console import out, print_json, run
from ..options import DomainOption, JsonOption
from ..tables import minute, print_table
from .options import HintArgument

_LATEST = 8
"""Items of a history that are shown."""
_WHY = (
    "Why the gains differ: the first one, as in `hints list`, counts random training sessions "
    "only. All its trials also count sessions where it looked useful: the one that it was learned "
    "from, similar ones, and those on which training tried it. A proposal has the gain of its day."
)


def show(
    hint: HintArgument,
    domain: DomainOption = None,
    conversation: Annotated[
        bool, typer.Option("--conversation", help="Include every message of the reflections.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a hint, its gain, and where it comes from.

    That is the miss, the diagnosis, the trials, the decisions on it and its uses.

    Example: re2llm hints show 3 --domain films
    """
    run(lambda: _show(hint, domain, conversation, as_json))


async def _show(hint: int, domain: str | None, conversation: bool, as_json: bool) -> None:
    from ...operations.hints.manage import show_hint
    from ...runtime.context import Context

    shown = await show_hint(Context(), hint, domain=domain, conversation=conversation)
    if as_json:
        print_json(shown)
        return
    for line in [*measured(shown), *_origin(shown), *_decisions(shown), *_proposals(shown)]:
        out.print_line(line)
    _print_trials(shown)


def measured(shown: dict[str, Any]) -> list[str]:
    """Say what a hint gains, as its page begins."""
    from ...operations.hints.results import HintGain, MeasuredGain

    gain = HintGain.model_validate(shown["measured"])
    lines = [f"Hint {shown['id']}, {shown['status']}: {shown['text']}", ""]
    if gain.sessions:
        lines += [f"{gain}", f"Measured with {gain.model} on random training sessions."]
    else:
        domain = shlex.quote(shown["domain"])
        tries = f"`re2llm hints verify {shown['id']} --domain {domain}` tries it"
        own = (gain.model, gain.prompt_version)
        tried = any((one["model"], one["prompt_version"]) == own for one in shown["trials"])
        where = "on random training sessions" if tried else "yet"
        lines.append(f"Not tried with {gain.model} and these settings {where}: {tries}.")
    if shown["measured_elsewhere"] is not None:
        last = MeasuredGain.model_validate(shown["measured_elsewhere"])
        lines.append(f"Last measured with another model, RE2LLM_FUSE or prompt: {last}")
    return [*lines, f"Given in {counted(shown['uses'], 'recommendation')}."]


def _origin(shown: dict[str, Any]) -> list[str]:
    lines = ["", "Where it comes from", f"  stored {minute(shown['created_at'])}"]
    for name, value in shown["provenance"].items():
        lines.append(f"  {name.replace('_', ' ')}: {f'{value}'.strip('[]')}")
    if shown["merged_into"] is not None:
        lines.append(f"  merged into hint {shown['merged_into']}, where its trials count")
    if shown["merged"]:
        lines.append(f"  holds what was merged into it: {', '.join(map(str, shown['merged']))}")
    return lines


def _decisions(shown: dict[str, Any]) -> list[str]:
    if not shown["decisions"]:
        return []
    return [
        *("", "Decisions on it"),
        *(
            f"  {minute(one['created_at'])}, with {one['model']}: {one['before']} -> "
            f"{one['after']}, {one['verdict'].replace('_', ' ')}. {one['reason']}"
            for one in shown["decisions"]
        ),
    ]


def _proposals(shown: dict[str, Any]) -> list[str]:
    lines = ["", "How it was proposed"] if shown["proposals"] else []
    for proposal in shown["proposals"]:
        written = "" if proposal["text"] == shown["text"] else f" as: {proposal['text']}"
        lines.append(f"  {proposal['outcome']}{written}. {proposal['reason']}".rstrip())
        lines += _miss(proposal["miss"])
    return lines


def _miss(miss: dict[str, Any] | None) -> list[str]:
    if miss is None:
        return ["    a person wrote it, or it was imported"]
    lines = [_missed(miss, f", by {miss['model']}"), *map(_missed, miss["batch"])]
    lines += textwrap.indent(f"diagnosis: {miss['diagnosis']}", "    ").splitlines()
    for message in miss.get("messages", []):
        lines += ["", f"    [{message['role']}]"]
        lines += textwrap.indent(f"{message['content']}", "    ").splitlines()
    return lines


def _missed(miss: dict[str, Any], by: str = "") -> str:
    history: list[str] = miss["history"]
    left_out = len(history) - _LATEST
    titles = [f"{left_out:,} more", *history[-_LATEST:]] if left_out > 0 else history
    chosen = f"then {miss['target']}, ranked {miss['rank']}{by}"
    return f"    session {miss['session']}: {' > '.join(titles)}; {chosen}"


def _print_trials(shown: dict[str, Any]) -> None:
    if not shown["trials"]:
        return
    numbers = ("sessions", "gain", "helped", "harmed")
    rows = [
        [
            *(trial["model"], trial["prompt_version"], f"{trial['sessions']:,}"),
            "" if trial["mean_gain"] is None else f"{trial['mean_gain']:+.3f}",
            *(f"{trial['helped']:,}", f"{trial['harmed']:,}"),
        ]
        for trial in shown["trials"]
    ]
    out.print()
    print_table(("model", "prompt", *numbers), rows, right=numbers, title="All its trials")
    for line in _differences(shown):
        out.print_line(line)


def _differences(shown: dict[str, Any]) -> list[str]:
    """Say why the gains on the page are not one number."""
    gains = {f"{trial['mean_gain']:+.3f}" for trial in shown["trials"] if trial["mean_gain"]}
    verified = [proposal["verification"] for proposal in shown["proposals"]]
    gains |= {f"{one['mean']:+.3f}" for one in verified if one and "mean" in one}
    for measured in (shown["measured"], shown["measured_elsewhere"]):
        if measured and measured["sessions"]:
            gains.add(f"{measured['mean']:+.3f}")
    if len(gains) <= 1:  # there is nothing to compare
        return []
    return ["", _WHY]
