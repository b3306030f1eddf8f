"""The ways out: systems that take what stages have made."""
