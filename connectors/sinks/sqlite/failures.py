"""What SQLite's errors mean for whoever writes: try again later, or a person has to act."""

import errno

import apsw

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.sinks.ownership import OwnedError
from connectors.sinks.sqlite.migrations import ForeignFileError

FAILURES = (apsw.Error, OSError, OwnedError, ForeignFileError)

_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (apsw.ReadOnlyError, "is read-only: check its permissions and those of its folder"),
    (apsw.PermissionsError, "may not be opened: check its permissions"),
    (PermissionError, "may not be opened: check its permissions and those of its folder"),
    (FileNotFoundError, "has no folder: make it, or check SQLITE_PATH"),
    (NotADirectoryError, "has no folder: check SQLITE_PATH"),
    (IsADirectoryError, "is a folder: check SQLITE_PATH"),
    (apsw.NotADBError, "is no SQLite database: move it away, and a new one is filled from Kafka"),
    (apsw.CorruptError, "is damaged: move it away with its -wal, and a new one is filled from Kafka"),
    (apsw.CantOpenError, "cannot be opened: check SQLITE_PATH, and the permissions of the file and its folder"),
    (ForeignFileError, "cannot be used"),
)
_LATER: tuple[tuple[type[Exception], str], ...] = (
    (OwnedError, "has another writer"),
    (apsw.BusyError, "is locked by another program"),
    (apsw.FullError, "is on a full disk"),
)


class FileChangedError(SinkError):
    """The file is not as this writer left it: it was removed, replaced or written by another.

    What is stored there counts: ask for its positions, and read on from there.
    """


def explained(failure: Exception, name: str) -> SinkError:
    """Return what a failure with the file `name` means: `Misconfigured`, or else `Unavailable`."""
    if isinstance(failure, OSError) and failure.errno == errno.EROFS:
        return Misconfigured(f"{name} is on a read-only disk ({_words(failure)})")
    for kind, advice in _ADVICE:
        if isinstance(failure, kind):
            return Misconfigured(f"{name} {advice} ({_words(failure)})")
    for kind, what in _LATER:
        if isinstance(failure, kind):
            return Unavailable(f"{name} {what} ({_words(failure)})")
    return Unavailable(f"{name} cannot be written ({_words(failure)})")


def _words(failure: Exception) -> str:
    words = failure.strerror if isinstance(failure, OSError) and failure.strerror else str(failure)
    code = getattr(failure, "extendedresult", None)
    if code is None:
        return words
    return f"{words}, {apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes.get(code, code)}"
