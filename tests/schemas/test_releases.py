"""Released schemas stay as they are, and later ones read what earlier ones wrote."""

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.utils import generate_many

import schemas
from schemas.releases import Release, releases

RELEASES = [pytest.param(release, id=release.file) for listed in releases().values() for release in listed]


@pytest.mark.parametrize("release", RELEASES)
def test_a_released_schema_is_never_edited(release: Release) -> None:
    found = sha256(release.text).hexdigest()
    assert release.unchanged, (
        f"{release.file} was edited: restore it and release the change as the next version, or, if nobody has it yet, "
        f"put its new sha256 into schemas/ids.json: {found}"
    )


def test_an_edit_is_found() -> None:
    released = releases()["cxone.campaign.hourly-value"][0]

    assert not Release(released.id, "InteractionCompleted.v1.avsc", released.sha256).unchanged


def test_every_schema_is_released_under_an_id_of_its_own() -> None:
    listed = [release for entries in releases().values() for release in entries]

    assert len({release.id for release in listed}) == len(listed)
    assert sorted(release.file for release in listed) == sorted(
        path.name for path in Path(schemas.__file__).with_name("avsc").iterdir()
    )


def test_versions_are_counted_in_the_order_of_release() -> None:
    for listed in releases().values():
        assert [release.file.split(".")[1] for release in listed] == [f"v{n}" for n, _ in enumerate(listed, 1)]


@pytest.mark.parametrize("subject", releases())
def test_a_release_reads_what_each_earlier_one_wrote(subject: str) -> None:
    listed = [release.schema for release in releases()[subject]]

    for number, schema in enumerate(listed):
        for earlier in listed[: number + 1]:
            assert _reads(schema, earlier)


_SMALL: dict[str, Any] = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}


@pytest.mark.parametrize(
    ("fields", "reads"),
    [
        ([{"name": "a", "type": "double"}], True),
        ([{"name": "a", "type": "long"}, {"name": "b", "type": "string", "default": ""}], True),
        ([], True),
        ([{"name": "a", "type": "long"}, {"name": "b", "type": "string"}], False),
        ([{"name": "a", "type": "string"}], False),
        ([{"name": "renamed", "type": "long"}], False),
    ],
)
def test_an_incompatible_change_is_found(fields: list[dict[str, Any]], reads: bool) -> None:
    assert _reads({**_SMALL, "fields": fields}, _SMALL) == reads


def _reads(schema: dict[str, Any], earlier: dict[str, Any]) -> bool:
    reader, writer = parse_schema(schema), parse_schema(earlier)
    for record in generate_many(writer, 50):
        written = BytesIO()
        schemaless_writer(written, writer, record)
        written.seek(0)
        try:
            schemaless_reader(written, writer, reader)
        except Exception:  # noqa: BLE001 - whatever fastavro raises, it did not read
            return False
    return True
