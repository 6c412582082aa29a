"""Training of the rating predictor: imitation of traces, then GRPO."""
