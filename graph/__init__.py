"""The state machines: which node follows which. No logic, no SQL, no prompts."""
