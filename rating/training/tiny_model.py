"""A Qwen2 model of a few million parameters and its tokenizer, built without a download.

It is for trying the training, also on a CPU. It reads and writes the same prompts and answers as a
large model, but only knows the texts that it is built from.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...llm.ratings.steps import TAGS

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, the format of Qwen2."""

_PAD, _START, _END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_KEY = re.compile(r"""[\[\]{}",\s]{0,40}"\w{1,40}":[\s"\[{]{0,40}""")
_KEYS = 40


@dataclass(frozen=True, slots=True)
class TinyShape:
    """The size of the model; `heads` divides `hidden`, `positions` is the context length."""

    vocabulary: int = 2000
    hidden: int = 192
    layers: int = 4
    heads: int = 6
    positions: int = 4096


def build_tiny(
    prompts: Sequence[Sequence[dict[str, Any]]], answers: Sequence[str], seed: int
) -> tuple[Any, Any]:
    """Return an untrained model and its tokenizer, made for some rating prompts and answers."""
    said = {"system": set[str](), "user": set[str]()}
    for prompt in prompts:
        for message in prompt:
            said[message["role"]].add(message["content"])
    tags = [f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")]
    # The instructions and the keys of the document never change: as single tokens they cost a
    # small model almost nothing.
    counts = Counter(key for text in said["user"] for key in _KEY.findall(text))
    # Equal counts in the order of the names: a set's order differs in each process.
    keys = sorted(counts, key=lambda key: (-counts[key], key))[:_KEYS]
    pieces = [*tags, *sorted(said["system"]), *keys]
    tokenizer = build_tokenizer([*sorted(said["user"]), *answers], pieces, TinyShape())
    return build_model(tokenizer, TinyShape(), seed), tokenizer


def build_tokenizer(texts: Sequence[str], pieces: Sequence[str], shape: TinyShape) -> Any:
    """Train a tokenizer of Qwen2's kind with a chat template.

    transformers and servers split the text of any Qwen2 model by Qwen2's rule, whatever its
    tokenizer's file says, so this one must split by it from the start.
    Each of the pieces becomes one token, as digits do; the other tokens are learned from the texts.
    """
    tokenizers = import_module("tokenizers")
    kind = import_module("transformers").Qwen2Tokenizer
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.normalizer = kind().backend_tokenizer.normalizer
    raw.pre_tokenizer = kind().backend_tokenizer.pre_tokenizer
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=shape.vocabulary - len(pieces),
        special_tokens=[_PAD, _START, _END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    learned = json.loads(raw.to_str())["model"]
    tokenizer = kind(
        vocab=learned["vocab"],
        merges=[tuple(pair) for pair in learned["merges"]],
        eos_token=_END,
        pad_token=_PAD,
        additional_special_tokens=[_START],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=shape.positions,
    )
    # Plain added tokens: special ones would vanish when a server decodes the answer.
    tokenizer.add_tokens([tokenizers.AddedToken(p, normalized=False) for p in pieces])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_model(tokenizer: Any, shape: TinyShape, seed: int) -> Any:
    """Return an untrained Qwen2 model for a tokenizer of `build_tokenizer`."""
    transformers = import_module("transformers")
    transformers.set_seed(seed)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.Qwen2ForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
