"""A Qwen2 model of a few million parameters and its tokenizer, built here: no download.

For trying the training out, on a CPU too. It reads and writes the very prompts and answers that a
large model would, and knows nothing but the texts that it is built from.
"""

from __future__ import annotations

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


def build_tokenizer(texts: Sequence[str], tags: Sequence[str], shape: TinyShape) -> Any:
    """Train a byte-level BPE tokenizer; digits and tags are tokens of their own.

    Args:
        texts: What to learn the words from.
        tags: Texts that become one token each.
        shape: For the size of the vocabulary.

    Returns:
        A tokenizer of transformers with a chat template.
    """
    tokenizers = import_module("tokenizers")
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    raw.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=shape.vocabulary - len(tags),
        special_tokens=[_PAD, _START, _END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    # Plain added tokens: special ones would vanish when a server decodes the answer.
    raw.add_tokens([tokenizers.AddedToken(tag, normalized=False) for tag in tags])
    tokenizer = import_module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=_END,
        pad_token=_PAD,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=shape.positions,
    )
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
