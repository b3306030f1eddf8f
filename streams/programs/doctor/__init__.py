"""Looks at everything that this system needs, and says what to do about what is wrong."""
