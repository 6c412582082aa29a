"""Leaves out of a model's requests what its server refuses, or writes it as the server wants it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from ..errors.unsupported_options import Part
from ..text.json_values import is_object

_HOLDERS = ("model_kwargs", "extra_body")
"""Where LangChain's models keep options that have no field of their own."""
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_PARALLEL = "parallel_tool_calls"


def adapted(model: BaseChatModel, refused: Collection[Part]) -> BaseChatModel | None:
    """Return a model that sends none of the refused parts, or `None` if it sent none of them.

    Args:
        model: The model whose request was refused; stays as it is.
        refused: The refused parts, from `errors.unsupported_options.refused_parts`.
    """
    changed = model
    for part, adapt in _ADAPT.items():
        if part in refused:
            changed = adapt(changed) or changed
    return None if changed is model else changed


def without_system(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Fold system messages into the person's first one, and join messages of one role.

    Args:
        messages: None of them is changed.
    """
    rules = [message.text for message in messages if isinstance(message, SystemMessage)]
    rest = [message for message in messages if not isinstance(message, SystemMessage)]
    if rules and not (rest and isinstance(rest[0], HumanMessage)):
        rest.insert(0, HumanMessage(""))
    folded: list[BaseMessage] = []
    for message in rest:
        if folded and isinstance(message, HumanMessage) and isinstance(folded[-1], HumanMessage):
            folded[-1] = _joined(folded[-1], message.content)
        else:
            folded.append(message)
    if rules:
        folded[0] = _joined(HumanMessage("\n\n".join(rules)), folded[0].content)
    return folded


def _joined(message: BaseMessage, content: str | list[Any]) -> BaseMessage:
    first = message.content
    if isinstance(first, str) and isinstance(content, str):
        joined: Any = "\n\n".join(filter(None, [first, content]))
    else:
        joined = [*_blocks(first), *_blocks(content)]
    return message.model_copy(update={"content": joined})


def _blocks(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _unset(model: BaseChatModel, names: Sequence[str]) -> BaseChatModel | None:
    update: dict[str, Any] = {
        name: None for name in names if getattr(model, name, None) is not None
    }
    for holder in _HOLDERS:
        held: Any = getattr(model, holder, None)
        if is_object(held) and any(name in held for name in names):
            update[holder] = {key: value for key, value in held.items() if key not in names}
    return model.model_copy(update=update) if update else None


def _other_limit(model: BaseChatModel) -> BaseChatModel | None:
    """Write the longest answer in OpenAI's old spelling; if that is refused too, leave it out."""
    limit: Any = getattr(model, "max_tokens", None)
    if not limit or not hasattr(model, "extra_body"):
        return _unset(model, _LIMITS)
    # As a field, LangChain would write it in the new spelling.
    extra: Any = getattr(model, "extra_body", None) or {}
    update = {"max_tokens": None, "extra_body": {**extra, "max_tokens": limit}}
    return model.model_copy(update=update)


def _no_stream_options(model: BaseChatModel) -> BaseChatModel | None:
    if getattr(model, "stream_usage", False):
        return model.model_copy(update={"stream_usage": False})
    return _unset(model, ["stream_options"])


def _in_parts(model: BaseChatModel) -> BaseChatModel | None:
    """Ask for an answer in parts with the count of its tokens; our HTTP client joins them."""
    extra: Any = getattr(model, "extra_body", None) or {}
    if not hasattr(model, "extra_body") or extra.get("stream"):
        return None
    counted = {"stream": True, "stream_options": {"include_usage": True}}
    return model.model_copy(update={"extra_body": {**extra, **counted}})


def _enabled(model: BaseChatModel, field: str) -> BaseChatModel | None:
    """Set a field of our own model for OpenAI's protocol, unless it is set."""
    off = getattr(model, field, None) is False
    return model.model_copy(update={field: True}) if off else None


def _no_parallel(model: BaseChatModel) -> BaseChatModel | None:
    """Leave out what LangChain sends with the tool that an answer in JSON is asked for with."""
    changed = _unset(model, [_PARALLEL]) or model
    disabled: Any = getattr(model, "disabled_params", None) or {}
    if hasattr(model, "disabled_params") and _PARALLEL not in disabled:
        update = {"disabled_params": {**disabled, _PARALLEL: None}}
        changed = changed.model_copy(update=update)
    return None if changed is model else changed


_ADAPT: Mapping[Part, Callable[[BaseChatModel], BaseChatModel | None]] = {
    Part.TEMPERATURE: partial(_unset, names=["temperature"]),
    Part.MAX_TOKENS: _other_limit,
    Part.TOP_P: partial(_unset, names=["top_p"]),
    Part.SEED: partial(_unset, names=["seed"]),
    Part.LOGPROBS: partial(_unset, names=["logprobs", "top_logprobs"]),
    Part.STREAM_OPTIONS: _no_stream_options,
    Part.PARALLEL_TOOL_CALLS: _no_parallel,
    Part.REASONING_EFFORT: partial(_unset, names=["reasoning_effort", "reasoning", "thinking"]),
    Part.TOP_K: partial(_unset, names=["top_k"]),
    Part.PENALTIES: partial(
        _unset, names=["presence_penalty", "frequency_penalty", "repetition_penalty"]
    ),
    Part.LOGIT_BIAS: partial(_unset, names=["logit_bias"]),
    Part.SERVICE_TIER: partial(_unset, names=["service_tier"]),
    Part.VERBOSITY: partial(_unset, names=["verbosity"]),
    Part.STOP: partial(_unset, names=["stop", "stop_sequences"]),
    Part.STORE: partial(_unset, names=["store"]),
    Part.N: partial(_unset, names=["n"]),
    Part.ONE_PIECE: _in_parts,
    Part.STREAM: partial(_enabled, field="disable_streaming"),
    Part.MISSING_THOUGHTS: partial(_enabled, field="sends_thoughts"),
    Part.MISSING_SIGNATURES: partial(_enabled, field="sends_signatures"),
    Part.NULL_CONTENT: partial(_enabled, field="sends_content"),
}
"""The parts that a model's own fields hold. A system message, tools and the form of an answer come
with each question: `Endpoint` rewrites those."""
