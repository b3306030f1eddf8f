"""How many examples a law is tried on: HYPOTHESIS_PROFILE=thorough takes many."""

import os

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def examples(usual: int, thorough: int) -> int:
    return thorough if THOROUGH else usual
