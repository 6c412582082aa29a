"""Prometheus metrics of the API, over all of a server's processes.

No label has values of a client's choice: routes are templates, and domains are in none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from ...knowledge.log.llm_calls import ANSWERED, LlmCall

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
disable_created_metrics()
_own = CollectorRegistry()
"""Not the library's: a host's own metrics stay out of ours."""

REQUESTS = Counter(
    "re2llm_http_requests",
    "Requests by route and status.",
    ("method", "route", "status"),
    registry=_own,
)
SECONDS = Histogram(
    "re2llm_http_request_duration_seconds",
    "Seconds until the end of the response.",
    ("route",),
    buckets=_BUCKETS,
    registry=_own,
)
IN_FLIGHT = Gauge(
    "re2llm_http_requests_in_flight",
    "Requests in progress.",
    multiprocess_mode="livesum",
    registry=_own,
)
_RECOMMENDATIONS = Counter("re2llm_recommendations", "Recommendations made.", registry=_own)
_FLAGS = Counter(
    "re2llm_flags", "What went wrong on the way to recommendations.", ("flag",), registry=_own
)
_RANKING_CALLS = Counter(
    "re2llm_ranking_calls", "Calls to the ranking model, also free ones.", registry=_own
)
_MODEL_CALLS = Counter(
    "re2llm_model_requests", "Paid requests to models, retries too.", ("answered",), registry=_own
)
_TOKENS = Counter("re2llm_model_tokens", "Tokens of paid calls.", ("direction",), registry=_own)
_COST = Counter("re2llm_model_cost", "Cost of paid calls by RE2LLM_PRICES.", registry=_own)


def count_recommendation(llm_calls: int, flags: Sequence[str]) -> None:
    """Count an answer.

    Args:
        llm_calls: Calls to the ranking model.
        flags: What went wrong on the way.
    """
    _RECOMMENDATIONS.inc()
    _RANKING_CALLS.inc(llm_calls)
    for flag in flags:
        _FLAGS.labels(flag).inc()


def count_call(call: LlmCall) -> None:
    """Count a paid call.

    Args:
        call: As the ledger books it.
    """
    _MODEL_CALLS.labels("yes" if call.outcome in ANSWERED else "no").inc(call.requests)
    _TOKENS.labels("in").inc(call.tokens_in)
    _TOKENS.labels("out").inc(call.tokens_out)
    _COST.inc(call.cost or 0.0)


def exposition() -> bytes:
    """Return all numbers as Prometheus reads them. Reads files if there are several processes."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return generate_latest(_own)
    _forget_dead(Path(folder))
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared, path=folder)
    return generate_latest(shared)


def _forget_dead(folder: Path) -> None:
    """Drop what processes that have ended were in the middle of."""
    for file in folder.glob("gauge_live*.db"):
        process = file.stem.rpartition("_")[2]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            multiprocess.mark_process_dead(int(process), str(folder))  # pyright: ignore[reportUnknownMemberType]
