"""`re2llm hints`: the lessons that may be given to the model."""
