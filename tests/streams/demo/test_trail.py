from pathlib import Path

from streams.demo import trail
from tests.support.audit_trail import PRIVATE, entries
from tests.support.audit_trail import trail as written


def test_a_folder_is_read_and_verified_with_the_key_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    (tmp_path / trail.KEY).write_bytes(PRIVATE)
    for name, data in written(entries(5)).items():
        (folder / name).write_bytes(data)

    assert list(trail.entries(folder)) == entries(5)
    assert (trail.verified(folder).findings, trail.verified(folder).entries) == ([], 5)
