"""A Qwen2 model of a few million parameters and its tokenizer, built here: no download.

For trying the training out, on a CPU too. It reads and writes the very prompts and answers that a
large model would, and knows nothing but the texts that it is built from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, as Qwen2 speaks it."""

_PAD, _START, _END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True, slots=True)
class TinyShape:
    """The size of the model.

    Attributes:
        vocabulary: Tokens at most.
        hidden: Width.
        layers: Depth.
        heads: Of attention; they divide the width.
        positions: The longest text in tokens.
    """

    vocabulary: int = 2000
    hidden: int = 192
    layers: int = 4
    heads: int = 6
    positions: int = 4096


def build_tokenizer(texts: Sequence[str], pieces: Sequence[str], shape: TinyShape) -> Any:
    """Train a tokenizer of Qwen2's own kind; digits and the given pieces are tokens of their own.

    transformers and servers split the text of any Qwen2 model by Qwen2's rule, whatever its
    tokenizer's file says, so this one must split by it from the start.

    Args:
        texts: What to learn the words from.
        pieces: Texts that become one token each.
        shape: For the size of the vocabulary.

    Returns:
        A tokenizer of transformers with a chat template.
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
    learnt = json.loads(raw.to_str())["model"]
    tokenizer = kind(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],
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
    """Return an untrained Qwen2 model.

    Args:
        tokenizer: From `build_tokenizer`.
        shape: Of the model.
        seed: Of the weights.
    """
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
