"""Why an answer ended, as servers say it: at its end, refused, or broken off."""

from __future__ import annotations

from ..text.json_values import plain_name

_REFUSALS = frozenset(
    {
        *("contentfilter", "contentfiltered", "refusal", "sensitive", "safety", "imagesafety"),
        *("prohibitedcontent", "blocklist", "spii", "recitation", "guardrailintervened"),
    }
)
"""Reasons of OpenAI, Anthropic, GLM, Gemini and Bedrock, with nothing but small letters."""
_FAILURES = frozenset({"error", "networkerror", "insufficientsystemresource"})
"""Reasons of many servers; of GLM; of DeepSeek."""

_LIMITS = frozenset({"length", "maxtokens", "maxoutputtokens", "modellength"})
"""Reasons of OpenAI; of Anthropic and Gemini; of Vertex; of Mistral."""


def is_refusal(reason: object) -> bool:
    """Whether a reason says that the model would not answer, or its provider would not let it."""
    return _bare(reason) in _REFUSALS


def is_failure(reason: object) -> bool:
    """Whether a reason says that the server broke off, which may pass."""
    return _bare(reason) in _FAILURES


def is_limit(reason: object) -> bool:
    """Whether a reason says that an answer was cut off at its longest length."""
    return _bare(reason) in _LIMITS


def _bare(reason: object) -> str:
    """Return a reason in small letters, without the name of its kind: `FinishReason.SAFETY`."""
    return plain_name(str(getattr(reason, "name", reason)).rpartition(".")[2])
