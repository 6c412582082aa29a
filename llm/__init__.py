"""Chat models, prompts, answer parsing, embeddings and the offline model."""
