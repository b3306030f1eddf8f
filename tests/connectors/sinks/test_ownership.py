"""Who may write a file."""

import os
from pathlib import Path

import pytest

from connectors.sinks.ownership import OwnedError, Ownership


def test_one_has_it_until_it_gives_it_back(tmp_path: Path) -> None:
    first, second = Ownership(tmp_path / "a.db"), Ownership(tmp_path / "a.db")
    first.take()
    first.take()

    with pytest.raises(OwnedError, match=f"process {os.getpid()} writes this file"):
        second.take()
    first.give_back()
    second.take()
    second.give_back()

    assert (tmp_path / "a.db.lock").exists()


def test_a_lock_whose_name_is_gone_is_taken_anew(tmp_path: Path) -> None:
    first, second = Ownership(tmp_path / "a.db"), Ownership(tmp_path / "a.db")
    first.take()
    (tmp_path / "a.db.lock").unlink()
    second.take()

    with pytest.raises(OwnedError):
        first.take()
    second.give_back()


def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.db.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        Ownership(tmp_path / "a.db").take()

    assert not (tmp_path / "elsewhere").exists()
