"""The layers that both policies are made of."""

from __future__ import annotations

import math

from torch import nn

_WIDTH = 64


def linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """Return a layer with orthogonal weights of the given gain, and no bias at the start."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(inputs: int, outputs: int, head_gain: float) -> nn.Sequential:
    """Return the paper's network, inputs → 64 → 64 → outputs with tanh."""
    return nn.Sequential(
        linear(inputs, _WIDTH, math.sqrt(2)),
        nn.Tanh(),
        linear(_WIDTH, _WIDTH, math.sqrt(2)),
        nn.Tanh(),
        linear(_WIDTH, outputs, head_gain),
    )
