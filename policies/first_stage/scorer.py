"""Scores candidates with the first stage's small networks; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, standardised

Weights = NDArray[np.float32]

LAYERS = 3


@dataclass(frozen=True, slots=True)
class Scorer:
    """Small networks that each score a candidate; their mean counts.

    Attributes:
        mean: Mean of each feature over all candidates that were learned from, shape `[features]`.
        deviation: Likewise; infinite for a feature that was the same in all of them.
        members: Weight `[out, in]` and bias `[out]` of every layer of each network.
    """

    mean: Weights
    deviation: Weights
    members: Sequence[Sequence[tuple[Weights, Weights]]]

    def score(self, features: Floats) -> Floats:
        """Score one list of candidates.

        Args:
            features: Shape `[candidates, features]`.

        Returns:
            Shape `[candidates]`, mean 0 and deviation 1; higher is better.
        """
        inputs = network_inputs(features, self.mean, self.deviation)
        scores = [standardised(_forward(inputs, member)) for member in self.members]
        return standardised(np.sum(scores, axis=0))

    def tensors(self) -> dict[str, Weights]:
        """Return all numbers by name, for a file."""
        named = {"mean": self.mean, "deviation": self.deviation}
        for place, member in enumerate(self.members):
            for layer, (weight, bias) in enumerate(member):
                named[f"{place}.{layer}.weight"] = weight
                named[f"{place}.{layer}.bias"] = bias
        return named

    @classmethod
    def of(cls, tensors: Mapping[str, Weights]) -> Scorer:
        """Rebuild a scorer from `tensors`.

        Raises:
            KeyError: One is missing.
        """
        count = len({name.partition(".")[0] for name in tensors if name.endswith(".weight")})
        members = [
            [
                (tensors[f"{m}.{layer}.weight"], tensors[f"{m}.{layer}.bias"])
                for layer in range(LAYERS)
            ]
            for m in range(count)
        ]
        return cls(tensors["mean"], tensors["deviation"], members)


def network_inputs(features: Floats, mean: Weights, deviation: Weights) -> Weights:
    """Return the networks' inputs: each feature relative to its list, and as it is.

    Args:
        features: The features of one list, shape `[candidates, features]`.

    Returns:
        Shape `[candidates, 2 * features]`.
    """
    spread = features.std(axis=0)
    known = (spread > 1e-9) & np.isfinite(deviation)  # noqa: PLR2004
    within = np.where(known, (features - features.mean(axis=0)) / np.where(known, spread, 1.0), 0.0)
    return np.concatenate([within, (features - mean) / deviation], axis=1).astype(np.float32)


def _forward(inputs: Weights, layers: Sequence[tuple[Weights, Weights]]) -> Floats:
    hidden = inputs
    for weight, bias in layers[:-1]:
        hidden = _gelu(hidden @ weight.T + bias)
    weight, bias = layers[-1]
    return (hidden @ weight.T + bias)[:, 0].astype(np.float64)


def _gelu(values: Weights) -> Weights:
    """Return the tanh form of GELU (Hendrycks & Gimpel, arXiv 1606.08415), as torch computes it."""
    # A power of floats is slow.
    inner = np.float32((2 / np.pi) ** 0.5) * values * (1 + np.float32(0.044715) * values * values)
    return np.float32(0.5) * values * (1 + np.tanh(inner))
