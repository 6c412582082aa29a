"""Scores what a model answered, alone and beside the first stage, for `benchmarks.real_llm`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from re2llm.arrays import Floats, Ints
from re2llm.evaluation.bootstrap import Bootstrap
from re2llm.evaluation.experiment import Row, target_ranks
from re2llm.evaluation.metrics import score_ranks
from re2llm.evaluation.permutations import order_spread
from re2llm.operations.first_stage.fusion import what_it_adds
from re2llm.policies.fusion import (
    FOLDS,
    Fusion,
    Opinions,
    fused_order,
    held_out_ranks,
    learn_fusion,
    mean_places,
)
from re2llm.ranking.opinion import opinion
from re2llm.ranking.prompt import prompt_size
from re2llm.records import Flag, Session, counted
from re2llm.runtime.progress import Progress, silent
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .model_arms import Answered, Arm

Results = Mapping[str, Sequence[Answered]]
"""What was answered, by the name of the arm, in the order of the sessions."""

FIRST_STAGE = "first-stage"
METRIC = "ndcg@10"
_ALONE = 1e6
"""A weight at which the first stage only decides among equals."""


def document(
    arms: Sequence[Arm], results: Results, *, seed: int, progress: Progress = silent
) -> dict[str, Any]:
    """Score all arms.

    Args:
        results: With at least two sessions for each arm.

    Returns:
        `ranking`, a row for each way to use the answers; `answers`, a row for each way to ask;
        `adds`, what the model adds to the first stage, by arm without hint; `orders`, how much the
        order of the candidates changes, if it was measured.
    """
    bootstrap = Bootstrap(seed=seed)
    whole = [arm for arm in arms if arm.sessions is None]
    some = results[whole[0].name]
    scores = {FIRST_STAGE: _gains([one.rank(()) for one in some])}
    beside: dict[str, str] = {}
    adds: dict[str, dict[str, Any]] = {}
    for place, arm in enumerate(whole):
        progress("scoring", place, len(whole))
        data, plain = _opinions(results[arm.name]), _opinions(results[arm.plain]).opinions
        ranks = {"": np.array([one.rank(one.answer.numbers) for one in results[arm.name]])}
        if arm.calibrated:
            ranks[", calibrated"] = _held_out(data, plain, alone=True)
        ranks[", fused"] = _held_out(data, plain)
        for way, found in ranks.items():
            scores[arm.name + way] = _gains(found)
            if arm.name != arm.plain:
                beside[arm.name + way] = arm.plain + way
        if arm.name == arm.plain:
            gained = scores[f"{arm.name}, fused"] - scores[FIRST_STAGE]
            adds[arm.name] = _fusion(data, mean_places(plain), gained, bootstrap).as_dict()
    rows: list[dict[str, Any]] = []
    for name, values in scores.items():
        mean = bootstrap.mean(values)
        over = {
            other: bootstrap.difference(values, scores[other])
            for other in dict.fromkeys([FIRST_STAGE, beside.get(name, FIRST_STAGE)])
            if other != name
        }
        rows.append({
            "name": name,
            METRIC: round(mean.mean, 4),
            "ci95": mean.ends,
            "over": {
                other: {"mean": round(gain.mean, 4), "ci95": gain.ends}
                for other, gain in over.items()
            },
        })  # fmt: skip
    return {
        "sessions": len(some),
        "ranking": rows,
        "answers": [_costs(arm.name, results[arm.name]) for arm in whole],
        "adds": adds,
        "orders": _spread([arm for arm in arms if arm.sessions is not None], results),
    }


def _gains(ranks: Sequence[int] | Ints) -> Floats:
    return score_ranks(ranks, [METRIC])[METRIC]


def _opinions(answered: Sequence[Answered]) -> Opinions:
    return Opinions(
        [np.array(one.state.get("first_stage", [])) for one in answered],
        [opinion(one.answer.read, prompt_size(one.state)) for one in answered],
        [one.target for one in answered],
    )


def _held_out(data: Opinions, plain: Sequence[Floats], *, alone: bool = False) -> Ints:
    """Return the targets' ranks, with everything that is learned taken from the other folds.

    Args:
        plain: What the model says without a hint, to learn what each place gets.
        alone: Whether the model's calibrated opinion decides, rather than its learned weight.
    """
    folds = np.arange(len(data.chosen)) % FOLDS
    ranks = np.zeros(len(folds), dtype=np.int64)
    for fold in np.unique(folds):
        held = folds == fold
        places = mean_places([said for said, out in zip(plain, held, strict=True) if not out])
        if not alone:
            ranks[held] = held_out_ranks(data, places)[held]
            continue
        for row in map(int, np.flatnonzero(held)):
            order = fused_order(data.first[row], data.opinions[row], Fusion(_ALONE, places))
            ranks[row] = order.index(data.chosen[row] + 1) + 1
    return ranks


def _fusion(
    data: Opinions, places: Sequence[float], gained: Floats, bootstrap: Bootstrap
) -> Fusion:
    """Return what would be learned, with the gain and interval that the table shows."""
    learned = learn_fusion(data, places)
    gain = bootstrap.mean(gained)
    weight = learned.weight if gain.mean > 0 else 0.0
    return replace(learned, weight=weight, gain=gain.mean, low=gain.low, high=gain.high)


def _costs(name: str, answered: Sequence[Answered]) -> dict[str, Any]:
    """Count faults, and what an answer takes: of those that were asked for, not known before."""
    answers = [one.answer for one in answered]
    paid = [answer for answer in answers if answer.calls]
    faults: Counter[str] = Counter()
    for answer in answers:
        faults.update(answer.faults)
    failed = [answer for answer in answers if Flag.MODEL_FAILED in answer.flags]
    good = [answer for answer in paid if Flag.MODEL_FAILED not in answer.flags]
    latency = np.percentile([answer.latency_ms for answer in good], [50, 95]) if good else None
    return {
        "name": name,
        "valid": sum(not answer.faults for answer in answers if answer not in failed),
        "failed": len(failed),
        "faults": dict(faults),
        "named": round(float(np.mean([len(answer.numbers) for answer in answers])), 1),
        "measured": len(good),
        "calls": round(sum(answer.calls for answer in good) / max(1, len(good)), 2),
        "tokens": {
            way: round(sum(answer.tokens[way] for answer in good) / max(1, len(good)))
            for way in ("in", "cached", "out")
        },
        "p50_ms": None if latency is None else round(latency[0], 1),
        "p95_ms": None if latency is None else round(latency[1], 1),
    }


def _spread(orders: Sequence[Arm], results: Results) -> dict[str, Any] | None:
    """Measure what the order changes, where every order's prompt lists the target."""
    if not orders:
        return None
    columns = [results["shuffled"], *(results[arm.name] for arm in orders)]
    rows = [row for row in zip(*columns, strict=False) if _comparable(row)]
    if not rows:
        return None
    sessions = [Session((), row[0].ids[row[0].target]) for row in rows]
    ranked: list[Row] = []
    prompts: list[list[list[str]]] = []
    for column in zip(*rows, strict=True):
        rankings = [one.listed for one in column]
        name = "the model's own order"
        ranked.append(Row(name, "policy", target_ranks(sessions, rankings), rankings=rankings))
        prompts.append([one.ids[: prompt_size(one.state)] for one in column])
    return {**order_spread(ranked, sessions, prompts), "sessions": len(rows)}


def _comparable(row: Sequence[Answered]) -> bool:
    shown = {frozenset(one.listed) for one in row}
    return len(shown) == 1 and row[0].target < prompt_size(row[0].state)


def sentences(found: Mapping[str, Any]) -> list[str]:
    """Say what was found in words.

    Args:
        found: From `document`.
    """
    said = [f"{name}: {what_it_adds(fusion)}" for name, fusion in found["adds"].items()]
    costs = {row["name"]: row for row in found["answers"]}
    full = next(row for row in found["ranking"] if row["name"] == "full")
    for other, gain in full["over"].items():
        if other == FIRST_STAGE:
            continue
        low, high = gain["ci95"]
        out, ten = costs["full"]["tokens"]["out"], costs[other]["tokens"]["out"]
        said.append(
            f"Naming all candidates of the prompt rather than the best ten: {gain['mean']:+.4f} "
            f"NDCG@10 (95 % interval {low:+.4f} to {high:+.4f}), tokens out {out} instead of {ten}."
        )
    spread = found["orders"]
    if spread:
        thirds = ", ".join("-" if part is None else f"{part:.3f}" for part in spread["by_third"])
        said.append(
            f"In {counted(spread['orders'], 'order')} of "
            f"{counted(spread['sessions'], 'prompt')}: NDCG@10 "
            f"{spread['mean']:.3f}, range {spread['range']:.3f}, Kendall tau "
            f"{spread['kendall_tau']:.2f}, first item unchanged in {spread['same_first']:.0%}; by "
            f"the third of the prompt that held the target: {thirds}."
        )
    known = sum(found["sessions"] - row["measured"] - row["failed"] for row in found["answers"])
    if known:
        said.append(
            f"{known:,} answers were in the call cache; tokens and times leave them out. "
            "RE2LLM_CALL_CACHE=false asks again."
        )
    return said


def show(found: Mapping[str, Any], title: str) -> None:
    """Print both tables and the sentences."""
    ranking = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    ranking.add_column("", no_wrap=True)
    for heading in ("NDCG@10", "95 % interval", "over first-stage", "over no hint"):
        ranking.add_column(heading, justify="right", no_wrap=True)
    for row in found["ranking"]:
        over = {other == FIRST_STAGE: _interval(gain) for other, gain in row["over"].items()}
        low, high = row["ci95"]
        ranking.add_row(
            row["name"],
            f"{row[METRIC]:.3f}",
            f"{low:.3f}, {high:.3f}",
            over.get(True, ""),
            over.get(False, ""),
        )
    answers = Table(title="answers", title_justify="left", box=SIMPLE_HEAD, padding=0)
    answers.add_column("", no_wrap=True)
    for heading in ("valid", "calls", "in", "cached", "out", "p50 ms", "p95 ms", "faults"):
        answers.add_column(heading, justify="right")
    for row in found["answers"]:
        faults = {**row["faults"], **({"failed": row["failed"]} if row["failed"] else {})}
        times = [row["p50_ms"], row["p95_ms"]]
        answers.add_row(
            row["name"],
            f"{row['valid'] / found['sessions']:.0%}",
            f"{row['calls']:.2f}",
            *(f"{row['tokens'][way]:,}" for way in ("in", "cached", "out")),
            *("-" if time is None else f"{time:,.0f}" for time in times),
            ", ".join(f"{name} {count:,}" for name, count in faults.items()) or "-",
        )
    console = Console(width=110)
    console.print(ranking)
    console.print(answers)
    given = [f"{name}: {text}" for name, text in found["hints"].items()]
    for line in [*given, *sentences(found)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _interval(gain: Mapping[str, Any]) -> str:
    low, high = gain["ci95"]
    return f"{gain['mean']:+.3f} ({low:+.3f}, {high:+.3f})"
