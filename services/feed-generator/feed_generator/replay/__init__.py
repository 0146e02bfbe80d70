"""Recorded option chains, played as if they happened now."""
