"""A domain that ships with the package: real films and simulated viewers of them."""

from .catalogue import Film, load_films, sample_items
from .simulator import simulate_sessions
from .tastes import Mood, TasteModel

__all__ = ["Film", "Mood", "TasteModel", "load_films", "sample_items", "simulate_sessions"]
