"""The exposure of a rollout's request: a row for its decisions, and an event for analytics."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..knowledge.rollouts.exposures import Exposure
from ..knowledge.sessions.sources import LOCAL
from ..llm.prices import Prices, call_cost
from ..records import Flag
from .state import Assignment

_log = logging.getLogger(__name__)
_ANY = "any"
"""Stands for any model, also the offline one, in a table with one price."""
_FALLBACKS = frozenset({Flag.MODEL_FAILED, Flag.COMPLETED, Flag.HINT_DROPPED})


@dataclass(frozen=True, slots=True)
class ExposureEvent:
    """A person was served by a rollout: an event in the form of OpenFeature's telemetry.

    Attributes:
        name: The name in OpenTelemetry's conventions for feature flags.
        attributes: The known attributes, under the names of the same conventions.
    """

    name: str
    attributes: dict[str, Any]


_observers: set[Callable[[ExposureEvent], None]] = set()


def observe_exposures(observer: Callable[[ExposureEvent], None]) -> None:
    """Call a function with each exposure of this process, for example to send it to analytics.

    Args:
        observer: Called on the event loop, after the exposure is stored: it must not block. What it
            raises is logged and harms no request.
    """
    _observers.add(observer)


def forget_observer(observer: Callable[[ExposureEvent], None]) -> None:
    """Stop calling an observer."""
    _observers.discard(observer)


def exposure_of(
    assignment: Assignment,
    *,
    flags: list[str],
    full_usage: Mapping[str, float],
    prices: Prices,
    model: str,
    source: str = LOCAL,
) -> Exposure:
    """Return an exposure as it is stored.

    Args:
        flags: The flags of the answer.
        full_usage: What the answer takes where it was not paid for before, as in the state: a new
            release's prompts are new, and would look slow and dear beside stored answers.
        prices: Prices by model; without a price, a token out counts as a token in.
        model: The model that ranked.
        source: The id of the API key that asked, or `local`.
    """
    return Exposure(
        rollout_id=assignment["rollout"],
        step=assignment["step"],
        person=bytes.fromhex(assignment["person"]),
        canary=assignment["canary"],
        probability=assignment["probability"],
        differs=assignment["differs"],
        failed=assignment["failed"],
        fallback=not _FALLBACKS.isdisjoint(flags),
        latency=math.log1p(max(full_usage.get("latency_ms", 0.0), 0.0)),
        cost=math.log1p(_weighted(full_usage, prices.get(model))),
        source=source,
        both_ask=assignment.get("both_ask", True),
    )


def _weighted(tokens: Mapping[str, float], price: Sequence[float] | None) -> float:
    """Return tokens in units of the price of a token in."""
    prices = {_ANY: price or (1.0, 1.0)}
    into, out, cached = (int(tokens.get(way, 0)) for way in ("in", "out", "cached"))
    cost = call_cost(prices, _ANY, into, out, min(cached, into))
    unit = call_cost(prices, _ANY, 1, 0)
    # Where a token in is free, a million of the others is the unit, as prices are.
    return max((cost or 0.0) / (unit or 1e-6), 0.0)


def emit_exposure(assignment: Assignment, domain: str, user: str | None) -> None:
    """Write an exposure to the log, and pass it to the observers.

    Args:
        domain: The domain's name.
        user: The user as the caller named it; observers get it, the log does not.
    """
    served = assignment["canary"] and not assignment["failed"]
    attributes: dict[str, Any] = {
        "feature_flag.key": f"re2llm.release.{domain}",
        "feature_flag.provider.name": "re2llm",
        "feature_flag.set.id": domain,
        "feature_flag.version": str(assignment["number"]),
        "feature_flag.result.variant": "canary" if served else "control",
        "feature_flag.result.value": assignment["release"] if served else None,
        "feature_flag.result.reason": "split",
        "feature_flag.context.id": assignment["person"],
        "re2llm.rollout.percent": assignment["percent"],
        "re2llm.rollout.probability": assignment["probability"],
    }
    if assignment["failed"]:
        attributes["feature_flag.result.reason"] = "error"
        attributes["error.type"] = assignment.get("error", "unknown")
    known = {name: value for name, value in attributes.items() if value is not None}
    _log.info("feature_flag.evaluation", extra={"event": known})
    for observer in list(_observers):
        event = ExposureEvent(
            "feature_flag.evaluation",
            {**known, "feature_flag.context.id": user or assignment["person"]},
        )
        try:
            observer(event)
        except Exception:  # noqa: BLE001  # no fault of the request
            _log.exception("an observer of exposures failed")
