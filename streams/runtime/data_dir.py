"""The folder of local state: nobody else's, and read by nobody else."""

import os
import stat
from pathlib import Path

from connectors.errors import ConfigurationError

PRIVATE = 0o700
_RIGHT = "Expected: a folder of this user's that nobody else may write, or none yet"


def default() -> Path:
    """Return where state is kept unless somebody says otherwise: in no folder that anybody could make first."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "cxone-streams"


def private(folder: Path) -> None:
    """Make `folder`, or see to it that it is this user's alone.

    Raises ConfigurationError naming STREAMS_DATA_DIR: what another user made could lead our state anywhere, or hold
    state that is not ours.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        found = folder.lstat()
        problem = _problem(found)
        if problem is None and stat.S_IMODE(found.st_mode) != PRIVATE:
            folder.chmod(PRIVATE)
    except OSError as failure:
        problem = f"cannot be made or read ({failure.strerror})"
    if problem is not None:
        raise ConfigurationError(f"STREAMS_DATA_DIR: {folder} {problem}. {_RIGHT}.")


def _problem(found: os.stat_result) -> str | None:
    if stat.S_ISLNK(found.st_mode):
        return "is a link"
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if stat.S_IMODE(found.st_mode) & 0o022:
        return "may be written by others"
    return None
