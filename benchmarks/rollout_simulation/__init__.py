"""Simulates viewers, to measure how often rollouts end right and how long they take."""
