"""Floor 0, the words: messages, names, units and errors. Nothing here does I/O or maths."""
