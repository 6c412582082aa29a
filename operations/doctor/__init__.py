"""What re2llm needs, checked one thing after the other."""
