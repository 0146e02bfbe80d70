"""Recordings of the ledger: written from Redis, read by the replay. README.md is their format."""
