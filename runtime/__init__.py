"""What a run needs: its options, shared services, budgets, the ledger, and calls to models."""
