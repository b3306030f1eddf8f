"""What keeps single partitions from being read or written, and for how long: what readiness says of it. Pure."""

from collections.abc import Mapping

Place = tuple[str, int]  # topic, partition


class PartitionTroubles:
    """Remembers since when a partition has had a trouble. Times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._seen: dict[Place, tuple[str, float]] = {}  # partition -> what is wrong, and since when

    def see(self, troubles: Mapping[Place, str], now: float) -> None:
        """Take what is wrong now. A partition that changes from one trouble to another has been in trouble since."""
        since = {place: at for place, (_, at) in self._seen.items()}
        self._seen = {place: (trouble, since.get(place, now)) for place, trouble in troubles.items()}

    def said(self, source: str, unwritten: Mapping[int, float], now: float) -> str | None:
        """Return one sentence for a person, or None.

        `unwritten` says for how many seconds Kafka has not taken what was made of a partition of `source`.
        """
        waits = [f"{source} {place}: nothing is written for {seconds:.0f} s" for place, seconds in unwritten.items()]
        ill = [f"{topic} {place} {what} for {now - at:.0f} s" for (topic, place), (what, at) in self._seen.items()]
        return "; ".join((*sorted(waits), *sorted(ill))) or None
