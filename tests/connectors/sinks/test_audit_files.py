"""A folder with one owner: lines are added whole, or not at all."""

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EINVAL, EIO
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError, Misconfigured, Unavailable
from connectors.sinks.audit_files import AuditFolder


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def folders_fail_once(error: int) -> Callable[[int], None]:
    """Return what syncs all but the first folder."""
    failures = [OSError(error, os.strerror(error))]

    def sync(descriptor: int) -> None:
        if failures and stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise failures.pop()
        os.fsync(descriptor)

    return sync


async def test_lines_are_added_at_the_end(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path / "new" / "audit")

    await folder.append("a.jsonl", b"1\n2\n")
    await folder.append("a.jsonl", b"3\n")

    assert folder.names() == ["a.jsonl"]
    assert list(folder.lines("a.jsonl")) == [b"1", b"2", b"3"]
    assert list(folder.lines("b.jsonl")) == []
    await folder.close()


async def test_a_folder_has_one_owner_until_that_lets_go(tmp_path: Path) -> None:
    first = AuditFolder(tmp_path)

    with pytest.raises(ConfigurationError, match=r"one owner, and process \d+ writes"):
        AuditFolder(tmp_path)

    await first.close()
    second = AuditFolder(tmp_path)
    await second.close()


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ConfigurationError, match="AUDIT_DIR"):
        AuditFolder(tmp_path / "file" / "audit")


def test_the_lock_is_no_link_to_somewhere_else(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "dashboard_audit.lock").symlink_to(tmp_path / "precious")

    with pytest.raises(ConfigurationError):
        AuditFolder(tmp_path)

    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("left", range(9))
async def test_an_unfinished_line_is_taken_away_and_nothing_else(tmp_path: Path, left: int) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"one\ntwo\n"[:left])
    folder = AuditFolder(tmp_path)

    folder.repair("a.jsonl")
    folder.repair("b.jsonl")
    await folder.append("a.jsonl", b"three\n")

    assert list(folder.lines("a.jsonl")) == [*[b"one", b"two"][: left // 4], b"three"]
    await folder.close()


async def test_a_file_that_somebody_else_wrote_to_is_not_written_on(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path)
    await folder.append("a.jsonl", b"1\n")
    with (tmp_path / "a.jsonl").open("ab") as other:
        other.write(b"2\n")

    with pytest.raises(Misconfigured, match="somebody else"):
        await folder.append("a.jsonl", b"3\n")

    assert (tmp_path / "a.jsonl").read_bytes() == b"1\n2\n"
    await folder.close()


async def test_a_disk_that_is_full_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path)
    await folder.append("a.jsonl", b"x" * 99 + b"\n")

    with disk_of(150), pytest.raises(Unavailable):
        await folder.append("a.jsonl", b"y" * 99 + b"\n")

    assert (tmp_path / "a.jsonl").stat().st_size == 100
    await folder.append("a.jsonl", b"y" * 99 + b"\n")
    assert len(list(folder.lines("a.jsonl"))) == 2
    await folder.close()


async def test_a_folder_that_was_not_synced_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path, sync=folders_fail_once(EIO))

    with pytest.raises(Unavailable):
        await folder.append("a.jsonl", b"1\n")

    assert (tmp_path / "a.jsonl").read_bytes() == b""
    await folder.append("a.jsonl", b"1\n")
    assert list(folder.lines("a.jsonl")) == [b"1"]
    await folder.close()


async def test_a_file_system_that_syncs_no_folders_takes_lines(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path, sync=folders_fail_once(EINVAL))

    await folder.append("a.jsonl", b"1\n")

    assert list(folder.lines("a.jsonl")) == [b"1"]
    await folder.close()
