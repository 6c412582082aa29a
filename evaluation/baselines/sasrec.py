"""SASRec: self-attention over the session, the neural baseline that most papers compare with.

Kang & McAuley 2018 (arXiv 1808.09781), as implemented by Cornac, an optional extra.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ...records import Session
from .base import candidates_of, items_of

HYPER_PARAMETERS: dict[str, Any] = {
    "embedding_dim": 128,
    "num_blocks": 1,
    "num_heads": 1,
    "max_len": 20,
    "dropout": 0.3,
    "loss": "ce",
    "learning_rate": 0.002,
    "sample_alpha": 0.0,
}
"""Chosen on 600 held-out *training* sessions of HetRec2011, by NDCG@10 with 49 uniform negatives.

There it got .437 after five passes (V-SKNN .417). Tried and worse, some along with another dropout
or learning rate: width 256 (.427), two blocks (.427), a history of 10 (.427), item biases (.424),
dropout .15 (.421), negatives drawn by popularity (.412), the BPR-max loss (.389).
"""

_NEGATIVES = 4096
_BATCH_SIZES = 64, 512
_BATCHES = 32
_VALIDATION_SHARE = 0.1
_VALIDATION_LIMIT = 500
_CHECKS = 8


class Sasrec:
    """Scores an item by the dot product with the self-attended history.

    A tenth of the training sessions, at most 500, is held out to keep the best of about eight
    checkpoints, by recall in the top tenth of the catalogue (the top 5 of 50 uniform candidates).
    An item that no fitted session holds scores below every other; without a known item in the
    history, all known items are equal. Training runs on one thread, so that a seed gives the same
    model on any number of cores.
    """

    name = "sasrec"

    def __init__(self, train: Sequence[Session], seed: int, *, steps: int = 1000) -> None:
        """Fit the model.

        Args:
            seed: Fixes the held-out part, the initial weights, the batches and the negatives.
            steps: Least number of gradient steps, rounded up to whole passes, at least three.

        Raises:
            InputError: No training session holds two items.
        """
        sequences = [items for session in train if len(items := items_of(session)) > 1]
        if not sequences:
            raise InputError(
                "train", "has no session of two items.", "SASRec learns from what follows what."
            )
        held_out, fitted = _split(sequences, seed)
        data = import_module("cornac.data").SequentialDataset
        train_set = data.build(_rows(fitted), fmt="SIT", seed=seed)
        self._index: dict[str, int] = dict(train_set.iid_map)
        known = [items for items in held_out if self._learned(items)]
        val_set = (
            data.build(
                _rows(known),
                fmt="SIT",
                seed=seed,
                global_iid_map=train_set.iid_map,
                exclude_unknowns=True,
            )
            if known
            else None
        )
        examples = sum(len(items) - 1 for items in fitted)
        # Few examples in large batches would be expensive steps with few distinct gradients.
        batch_size = int(np.clip(examples // _BATCHES, *_BATCH_SIZES))
        epochs = max(3, math.ceil(steps / math.ceil(examples / batch_size)))
        self._model: Any = import_module("cornac.models").SASRec(
            **HYPER_PARAMETERS,
            batch_size=batch_size,
            n_sample=min(_NEGATIVES, len(self._index)),
            n_epochs=epochs,
            model_selection="best" if val_set is not None else "last",
            val_eval_every=max(1, epochs // _CHECKS),
            val_metric="recall",
            val_k=max(5, len(self._index) // 10),
            seed=seed,
        )
        from ...policies.reproducible import reproducible  # noqa: PLC0415  # loads torch

        with reproducible():
            self._model.fit(train_set, val_set)

    def score(self, session: Session) -> Floats:
        """Return dot products, shape `(candidates,)`; see `Baseline.score`."""
        candidates = candidates_of(session)
        history = [self._index[item] for item in session.history if item in self._index]
        scores: Floats = np.asarray(self._model.score(None, history), dtype=np.float64)
        unknown = float(scores.min()) - 1.0
        return np.array(
            [scores[self._index[item]] if item in self._index else unknown for item in candidates]
        )

    def _learned(self, items: Sequence[str]) -> bool:
        """Tell whether the last item and something before it were seen in training."""
        return items[-1] in self._index and any(item in self._index for item in items[:-1])


def _split(
    sequences: list[tuple[str, ...]], seed: int
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Divide sequences into those held out for validation and those to fit."""
    order = np.random.default_rng(seed).permutation(len(sequences))
    held = min(_VALIDATION_LIMIT, int(len(sequences) * _VALIDATION_SHARE))
    picked = [sequences[int(place)] for place in order]
    return picked[:held], picked[held:]


def _rows(sequences: Sequence[tuple[str, ...]]) -> list[tuple[int, str, int]]:
    """Return Cornac's (session, item, time) triples."""
    return [
        (number, item, time)
        for number, items in enumerate(sequences)
        for time, item in enumerate(items)
    ]
