"""API keys, the people signed in with them, and what they have cost."""
