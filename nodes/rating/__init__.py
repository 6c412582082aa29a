"""The nodes of the `rate` graph."""
