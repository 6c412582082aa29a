"""Makes any chat LLM a better recommender without fine-tuning it."""
