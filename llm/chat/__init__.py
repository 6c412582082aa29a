"""The prompt and the history of the chat graph."""
