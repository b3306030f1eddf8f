"""The stand-in model that scores interactions."""
