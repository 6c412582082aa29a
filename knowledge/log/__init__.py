"""The log: recommendations, feedback and calls of models."""
