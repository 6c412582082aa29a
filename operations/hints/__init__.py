"""A domain's hints: stored, tried, verified, improved, tidied and exchanged."""
