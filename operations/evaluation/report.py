"""Gathers what `re2llm evaluate --report` shows; it makes no model call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...evaluation.experiment import Row
from ...evaluation.report.added import over_first_stage, policy_gains
from ...evaluation.report.comparison import HintUse, examples, hint_uses
from ...evaluation.report.page import Picture, Report
from ...evaluation.report.pictures import hint_bars, learning_curve
from ...evaluation.session_groups import session_groups
from ...knowledge.catalogue import all_items
from ...knowledge.hint_store.hints import Hint, list_hints
from ...knowledge.releases import Release, fetch_release
from ...knowledge.served import active_release_number
from ...records import counted
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..database import in_domain, with_domain
from ..first_stage.fusion import what_it_adds
from .evaluate import Evaluation
from .report_sizes import size_pictures

_PREFERRED = ("ppo", "static", "similar", "random")
_CHOICES = {
    "none": "Without a hint",
    "static": "With the best hint",
    "ppo": "With the hint that the policy chooses",
}


async def make_report(
    context: Context, evaluation: Evaluation, *, progress: Progress = silent
) -> Report:
    """Gather what the report shows, for `evaluation.report.page.write_page`.

    Args:
        context: The run's options, as for `evaluate`.
        evaluation: An evaluation from `evaluate`.
        progress: Called with the stage `training for the pictures`.

    Raises:
        InputError: The domain is gone.
        DatabaseError: The database cannot be reached.
    """
    context = await with_domain(context)
    options = await resolve_context(context)
    async with in_domain(options) as (connection, domain):
        hints = await list_hints(connection, domain.id)
        titles = {item.id: item.title for item in await all_items(connection, domain)}
        number = await active_release_number(connection, domain.id)
        release = await fetch_release(connection, domain.id, number) if number else None
    texts = {hint.id: hint.text for hint in hints}
    by_name = {row.name: row for row in evaluation.rows if row.kind == "policy"}
    without = by_name.get("none") or evaluation.cells.get(0)
    hinted = next((by_name[name] for name in _PREFERRED if name in by_name), None)
    groups = session_groups(evaluation.sessions)
    uses: list[HintUse] = []
    shown, gains = [], []
    if hinted and without:
        metrics = release.metrics if release and hinted.name == "ppo" else None
        gains = policy_gains(hinted, without, metrics, groups=groups, seed=evaluation.seed)
        uses = hint_uses(hinted, without, texts, groups=groups, seed=evaluation.seed)
        shown = examples(hinted, without, evaluation.sessions, texts, titles)
    return Report(
        title=f"re2llm: {evaluation.domain}, {counted(len(evaluation.sessions), 'session')}",
        facts=_facts(evaluation, options, number, release, hints),
        document=evaluation.document,
        pictures=[
            _learning_picture(number, release),
            _uses_picture(hinted, uses),
            *await size_pictures(evaluation, options, progress),
        ],
        uses=uses,
        examples=shown,
        policy=hinted.name if hinted else "",
        gains=gains,
        added=_what_it_adds(release, evaluation),
        over_first=over_first_stage(evaluation.rows, groups=groups, seed=evaluation.seed),
    )


def _what_it_adds(release: Release | None, evaluation: Evaluation) -> list[str]:
    """Say what the model adds to the first stage, or why that is not known."""
    learned: Mapping[str, Any] = release.metrics.get("fusion", {}) if release else {}
    recorded: Mapping[str, Any] = evaluation.document.get("fusion", {})
    said = [f"{_CHOICES.get(name, name)}: {what_it_adds(one)}" for name, one in learned.items()]
    said += [f"By the recorded answers: {what_it_adds(one)}" for one in recorded.values()]
    if said:
        return said
    if release is None:
        return ["Not measured in training: the domain has no release; run `re2llm train`."]
    why = "Not measured in training: the release was trained without the first stage; "
    return [f"{why}run `re2llm train` with RE2LLM_FUSE=learned."]


def _learning_picture(number: int | None, release: Release | None) -> Picture:
    heading = "Learning curve"
    if release is None or not release.metrics.get("curve"):
        return Picture(heading, "Missing: the domain has no release; run `re2llm train`.")
    about = (
        "How the policy's gain over no hint grew while it learned. It is good if the validation "
        "line rises, ends above the dotted line of the best single hint, and does not fall again."
    )
    source = (
        f"From the metrics that release {number} was stored with. The validation reward is of "
        "policies that did not learn from those training sessions, so it need not equal the gain "
        "on the evaluated sessions."
    )
    return Picture(heading, source, learning_curve(release.metrics), about)


def _uses_picture(hinted: Row | None, uses: Sequence[HintUse]) -> Picture:
    heading = "How often each hint was chosen, and what it gained"
    if hinted is None or not uses:
        needs = "`none` and a policy that gives hints among the policies"
        return Picture(heading, f"Missing: it needs {needs}.")
    about = (
        "Left, how many sessions got each hint; right, its mean gain in those. It is good if the "
        "points and their lines lie right of 0, above all those of the hints chosen most."
    )
    source = (
        f"Of the policy {hinted.name!r} on the evaluated sessions. The gain is over no hint, with "
        "its 95 % interval. Weighted by their sessions, these gains average to the gain over all "
        "evaluated sessions."
    )
    return Picture(heading, source, hint_bars(uses), about)


def _facts(
    evaluation: Evaluation,
    options: RunOptions,
    number: int | None,
    release: Release | None,
    hints: Sequence[Hint],
) -> Mapping[str, str]:
    lengths = sorted({len(session.candidates or ()) for session in evaluation.sessions})
    candidates = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    facts = {
        "ranking model": options.model,
        "candidates a session": candidates,
        "active hints": str(sum(hint.status == "active" for hint in hints)),
        "seed": str(evaluation.seed),
    }
    if release is not None:
        trained = counted(release.metrics.get("validation_sessions", 0), "session")
        facts["policy release"] = f"{number} ({release.recipe}, validated on {trained})"
    return facts
