"""Floor 2, the hands: Redis, MongoDB, HTTP, tokens, passwords, the clock. Drivers live here and nowhere else."""
