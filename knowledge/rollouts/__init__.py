"""Rollouts, and the requests that count in them."""
