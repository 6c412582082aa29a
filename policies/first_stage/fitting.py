"""Trains the first stage's networks listwise.

The loss is the cross-entropy of the chosen candidate under a softmax over its list: ListNet (Cao et
al., ICML 2007) with one relevant item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...arrays import Floats
from ..reproducible import reproducible
from .scorer import Scorer, Weights, network_inputs

MEMBERS = 3
EPOCHS = 15
_HIDDEN = 32
_DROPOUT = 0.2
_BATCH = 64
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 0.05
_PADDING = -1e9
_CONSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of candidates to learn from.

    Attributes:
        features: One array `[candidates, features]` a session.
        chosen: The row of the chosen candidate in each.
    """

    features: Sequence[Floats]
    chosen: Sequence[int]

    def part(self, rows: NDArray[np.int64]) -> Lists:
        """Return some of the lists."""
        places: list[int] = rows.tolist()
        return Lists([self.features[row] for row in places], [self.chosen[row] for row in places])


def fit(lists: Lists, *, seed: int = 0, on_epoch: Callable[[], None] = lambda: None) -> Scorer:
    """Train a scorer. Blocks; the same lists and seed give the same bits.

    Args:
        lists: At least one.
        seed: The seed of weights, dropout and order.
        on_epoch: Called after each of the `MEMBERS * EPOCHS` passes over the lists.
    """
    stacked = np.concatenate(lists.features)
    mean = stacked.mean(axis=0).astype(np.float32)
    spread = stacked.std(axis=0)
    # Nothing is learned from a feature that never varied, so it must say nothing later, too.
    deviation = np.where(spread > _CONSTANT, spread + _CONSTANT, np.inf).astype(np.float32)
    inputs, padding = _padded([network_inputs(f, mean, deviation) for f in lists.features])
    chosen = torch.as_tensor(lists.chosen)
    members: list[list[tuple[Weights, Weights]]] = []
    with reproducible():
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        for _ in range(MEMBERS):
            member = _network(inputs.shape[2])
            _train(member, inputs, padding, chosen, on_epoch)
            layers = [layer for layer in member if isinstance(layer, nn.Linear)]
            members.append([(_numbers(layer.weight), _numbers(layer.bias)) for layer in layers])
    return Scorer(mean, deviation, members)


def _train(
    member: nn.Sequential,
    inputs: Tensor,
    padding: Tensor,
    chosen: Tensor,
    on_epoch: Callable[[], None],
) -> None:
    steps = EPOCHS * -(-len(inputs) // _BATCH)
    optimiser = torch.optim.AdamW(member.parameters(), weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(inputs))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            optimiser.zero_grad()
            scores = member(inputs[rows]).squeeze(-1) + padding[rows]
            nn.functional.cross_entropy(scores, chosen[rows]).backward()  # pyright: ignore[reportUnknownMemberType]
            optimiser.step()  # pyright: ignore[reportUnknownMemberType]
            schedule.step()
        on_epoch()


def _network(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(inputs, _HIDDEN), nn.GELU(approximate="tanh"), nn.Dropout(_DROPOUT)),
        *(nn.Linear(_HIDDEN, _HIDDEN), nn.GELU(approximate="tanh"), nn.Dropout(_DROPOUT)),
        nn.Linear(_HIDDEN, 1),
    )


def _padded(lists: Sequence[Weights]) -> tuple[Tensor, Tensor]:
    """Stack lists of different lengths, and return what keeps the padding from being chosen."""
    longest = max(len(rows) for rows in lists)
    inputs = torch.zeros(len(lists), longest, lists[0].shape[1])
    padding = torch.full((len(lists), longest), _PADDING)
    for place, rows in enumerate(lists):
        inputs[place, : len(rows)] = torch.as_tensor(rows)
        padding[place, : len(rows)] = 0.0
    return inputs, padding


def _numbers(tensor: Tensor) -> Weights:
    return tensor.detach().numpy().copy()
