"""A seeded nemesis against the whole platform under load, and a checker of its history: ``python -m campaign``."""
