"""Looks for pieces of secrets in whatever is written anywhere."""

import base64
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

SHOWN = 8  # characters in a row of a secret that may not be shown
AT_A_TIME = 1 << 20  # bytes
AROUND = 60  # bytes before and behind a piece that are told

_APART = bytes(SHOWN)  # between records that are searched at a time


class Searcher:
    """Finds pieces of secrets, as they are and in base64."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._secrets: set[bytes] = set()
        self._pieces = np.zeros(0, np.uint64)
        self.learn(secrets)

    def learn(self, secrets: Iterable[bytes]) -> None:
        """Look for these, too."""
        fresh = {secret for secret in secrets if len(secret) >= SHOWN} - self._secrets
        if fresh:
            self._secrets |= fresh
            pieces = {piece for secret in self._secrets for piece in _pieces(secret)}
            self._pieces = np.sort(np.frombuffer(b"".join(pieces), np.uint64))

    def found(self, text: bytes) -> list[bytes]:
        """Return where pieces stand, with what is around them."""
        places: list[bytes] = []
        for begin in range(0, max(len(text) - SHOWN + 1, 0), AT_A_TIME):
            places += self._found(text[begin : begin + AT_A_TIME + SHOWN - 1])
        return places

    def _found(self, text: bytes) -> Iterator[bytes]:
        if len(text) < SHOWN or not self._pieces.size:
            return
        windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(text, np.uint8), SHOWN)
        here = np.ascontiguousarray(windows).view(np.uint64).ravel()
        nearest = np.minimum(np.searchsorted(self._pieces, here), self._pieces.size - 1)
        behind = 0
        for at in map(int, np.flatnonzero(self._pieces[nearest] == here)):
            if at >= behind:
                yield text[max(at - AROUND, 0) : at + AROUND]
                behind = at + 200


def _pieces(secret: bytes) -> Iterator[bytes]:
    coded = [base64.b64encode(b"x" * shift + secret)[4:-4] for shift in range(3)]
    for form in (secret, *coded, *(each.translate(bytes.maketrans(b"+/", b"-_")) for each in coded)):
        for at in range(len(form) - SHOWN + 1):
            yield form[at : at + SHOWN]


class Follower:
    """Reads all that is written to Kafka while it is there, in a thread of its own, and looks for secrets.

    The embedded broker forgets: at the end it would be too late.
    """

    def __init__(self, bootstrap_servers: str, search: Searcher, shown: Callable[[], Iterable[bytes]]) -> None:
        self.found: list[str] = []
        self.bytes = 0
        self._search, self._shown = search, shown
        self._stop = threading.Event()
        config = {"bootstrap.servers": bootstrap_servers, "group.id": "attack", "enable.auto.commit": False}
        self._consumer = Consumer({**config, "fetch.wait.max.ms": 100, "log_level": 3})
        topics = self._consumer.list_topics(timeout=10).topics
        self._consumer.assign(
            [
                TopicPartition(name, partition, OFFSET_BEGINNING)
                for name, topic in topics.items()
                for partition in topic.partitions
            ]
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            records = [each for each in self._consumer.consume(2000, 0.5) if each.error() is None]
            self._search.learn(list(self._shown()))  # what a record repeats was shown before it came
            parts = [
                part
                for record in records
                for part in (record.key(), record.value(), *(value for _, value in record.headers() or ()))
                if part
            ]
            text = _APART.join(parts)
            self.bytes += len(text)
            if self._search.found(text):
                self.found += [
                    f"{record.topic()}: {place!r}" for record in records for place in self._search.found(_whole(record))
                ]


def _whole(record: object) -> bytes:
    key, value, headers = record.key(), record.value(), record.headers()  # type: ignore[attr-defined]
    return _APART.join([key or b"", value or b"", *(part or b"" for _, part in headers or ())])


def in_files(folder: Path, search: Searcher, *but: Path) -> list[str]:
    """Return where secrets stand in the files of a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in but]
    return [f"{path.name}: {place!r}" for path in paths for place in search.found(path.read_bytes())]
