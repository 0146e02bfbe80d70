"""Floor 1, the maths: arrays in, arrays out. No I/O, no clock, no warnings; what cannot be computed is NaN."""
