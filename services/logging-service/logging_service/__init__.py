"""Log lines of all services: taken in, redacted once more, kept for a while, searched and followed."""
