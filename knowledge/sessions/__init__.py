"""Past sessions, and the evidence that is counted from them."""
