"""Simulated viewers on which rollouts are proved: how often they end right, and what that takes."""
