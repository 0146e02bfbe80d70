"""For tests only: real servers on free ports, factories of messages, and `eventually`."""
