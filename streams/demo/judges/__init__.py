"""Independent computations of what the demo must have come to."""
