"""Makes or replays option chains and appends them to the ledger."""
