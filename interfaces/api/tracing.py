"""OpenTelemetry traces, only if the user's own settings ask for them."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig

_log = logging.getLogger(__name__)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def telemetry() -> TelemetryConfig:
    """Return what FastAPI sends: spans to the endpoint of the `OTEL_*` variables, or nothing."""
    asked = any(os.environ.get(name) for name in _ENDPOINTS)
    there = asked and _is_installed()
    if asked and not there:
        _log.warning("OTEL_* asks for traces, but the packages are missing: re2llm[otel]")
    return TelemetryConfig(
        tracing=there, metrics=False, logs=False, operation_spans=there, auto_configure=there
    )


def _is_installed() -> bool:
    try:
        return all(find_spec(name) is not None for name in _PACKAGES)
    except ModuleNotFoundError:  # of a parent package
        return False
