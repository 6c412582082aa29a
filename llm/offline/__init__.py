"""The offline models: a ranker and a stand-in for a chat model, without an LLM or a key."""

from .chat import OfflineAssistant
from .model import OfflineRanker

__all__ = ["OfflineAssistant", "OfflineRanker"]
