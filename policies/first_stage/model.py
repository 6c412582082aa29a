"""A fitted first stage: item factors, scorer, and scores of the sessions it learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...arrays import Floats
from ...errors import InputError
from .features import FirstStageTask, candidate_features, evidence_sum, unseen_first
from .item_factors import ItemFactors
from .scorer import Scorer


@dataclass(frozen=True, slots=True)
class FirstStage:
    """Ranks candidates from past sessions alone.

    Attributes:
        factors: The factors of all training sessions.
        scorer: `None` where nothing that was learned beats the plain sum of the evidence.
        held_out: For each session that it learned from, the scores of its candidates in their
            stored order, by models that have not seen it.
        newest: The largest key of a training session at the time of the fit.
    """

    factors: ItemFactors
    scorer: Scorer | None
    held_out: Mapping[int, NDArray[np.float32]]
    newest: int

    def scores(self, task: FirstStageTask, session: int | None = None) -> Floats:
        """Score candidates; no training session meets a model that has seen its choice.

        Args:
            task: The candidates of a training session are in their stored order.
            session: Key of the training session that is being ranked, if it is one.

        Returns:
            Shape `[candidates]`, mean 0 and deviation 1; higher is better.
        """
        if session is not None and session <= self.newest:
            known = self.held_out.get(session)
            if known is not None and len(known) == len(task.candidates):
                return known.astype(np.float64)
            return evidence_sum(task)
        if self.scorer is None:
            return evidence_sum(task)
        factors = self.factors.scores(task.history, task.candidates)
        return learned_scores(self.scorer, task, candidate_features(task, factors))

    def dump(self) -> bytes:
        """Return it as safetensors."""
        tensors: dict[str, NDArray[np.generic]] = {
            "newest": np.array([self.newest], dtype=np.int64),
            "items": _packed(sorted(self.factors.places, key=self.factors.places.__getitem__)),
            "held_out.keys": np.array(list(self.held_out), dtype=np.int64),
            "held_out.counts": np.array([len(s) for s in self.held_out.values()], dtype=np.int64),
            "held_out.scores": np.concatenate(
                [np.zeros(0, dtype=np.float32), *self.held_out.values()]
            ),
        }
        for place, factors in enumerate(self.factors.factors):
            tensors[f"factors.{place}"] = factors
        if self.scorer is not None:
            for name, tensor in self.scorer.tensors().items():
                tensors[f"scorer.{name}"] = tensor
        return save(tensors)

    @classmethod
    def load(cls, data: bytes) -> FirstStage:
        """Rebuild what `dump` returned.

        Raises:
            InputError: It is of another version, or damaged.
        """
        try:
            tensors = load(data)
            items = _unpacked(tensors["items"])
            factors = [
                tensors[f"factors.{p}"] for p in range(len(tensors)) if f"factors.{p}" in tensors
            ]
            counts = tensors["held_out.counts"]
            parts = np.split(tensors["held_out.scores"], np.cumsum(counts)[:-1])
            held_out = dict(zip(tensors["held_out.keys"].tolist(), parts, strict=False))
            scorer = {
                name.removeprefix("scorer."): tensor
                for name, tensor in tensors.items()
                if name.startswith("scorer.")
            }
            return cls(
                ItemFactors({item: row for row, item in enumerate(items)}, factors),
                Scorer.of(scorer) if scorer else None,
                held_out,
                int(tensors["newest"][0]),
            )
        except (KeyError, ValueError, SafetensorError) as error:
            raise InputError(
                "first stage",
                f"It does not fit this version: {error}.",
                "Fit it again with `re2llm train`.",
            ) from error


def learned_scores(scorer: Scorer, task: FirstStageTask, features: Floats) -> Floats:
    """Score candidates with a scorer.

    Items of the history come last if no training session chose one again: then the scorer has not
    learned how likely that is.

    Args:
        features: Of the candidates, `[candidates, features]`, from `candidate_features`.

    Returns:
        Shape `[candidates]`, higher is better.
    """
    scores = scorer.score(features)
    return scores if task.repeats else unseen_first(scores, task)


def _packed(items: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\0".join(items).encode(errors="surrogatepass"), dtype=np.uint8).copy()


def _unpacked(data: NDArray[np.uint8]) -> list[str]:
    text = data.tobytes().decode(errors="surrogatepass")
    return text.split("\0") if text else []
