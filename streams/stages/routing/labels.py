"""Names from payloads -> labels of a metric: so many at most, for whoever may write a message may invent a queue."""

MOST = 100
LONGEST = 100  # characters
OTHER = "other"


class Labels:
    """The first `MOST` names get a label of their own, all later and all long ones share `OTHER`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """Return the label of `name`."""
        if name in self._known:
            return name
        if len(self._known) >= MOST or len(name) > LONGEST:
            return OTHER
        self._known.add(name)
        return name
