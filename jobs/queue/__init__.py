"""The queue in the database: submitting jobs, controlling them, and who works on them."""
