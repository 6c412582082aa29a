"""Learning hints from misses: on training sessions and from feedback."""
