"""The offline models: a ranker and an assistant without an LLM, a key or a download."""

from .assistant import OfflineAssistant
from .model import OfflineRanker

__all__ = ["OfflineAssistant", "OfflineRanker"]
