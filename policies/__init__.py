"""The hint policy and how it learns, off-policy estimates, and the rules of rollouts."""
