"""The offline ranker: a chat model without an LLM, that needs no key and no download."""

from .model import OfflineRanker

__all__ = ["OfflineRanker"]
