"""The folder of local state."""

import os
import stat
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from streams.runtime.data_dir import default, private


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_a_new_folder_is_ours_alone(tmp_path: Path) -> None:
    private(tmp_path / "a" / "state")

    assert mode(tmp_path / "a" / "state") == 0o700


def test_a_folder_that_others_may_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)

    private(folder)

    assert mode(folder) == 0o700


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, bits: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(bits)

    with pytest.raises(ConfigurationError, match=r"^STREAMS_DATA_DIR: .*state may be written by others"):
        private(folder)


def test_a_link_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="is a link"):
        private(tmp_path / "link")
    with pytest.raises(ConfigurationError, match="STREAMS_DATA_DIR"):
        private(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        private(tmp_path / "file" / "below")


def test_what_another_user_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)

    with pytest.raises(ConfigurationError, match="belongs to another user"):
        private(folder)


def test_the_default_is_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default() == Path("/somewhere/cxone-streams")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/users/me")
    assert default() == Path("/users/me/.local/state/cxone-streams")
