"""Released schemas and their ids. A released schema is never edited: a change is a new release."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Protocol

from schemas.topics import TOPICS

Schema = dict[str, Any]


class SchemaIds(Protocol):
    """Where schema ids come from."""

    def id_for(self, subject: str, schema: Schema) -> int:
        """Return the id under which `schema` is written to `subject`; raise LookupError when it has none."""

    def schema_for(self, schema_id: int) -> Schema:
        """Return the schema written under `schema_id`; raise LookupError when there is no such id."""


@dataclass(frozen=True, slots=True)
class Release:
    """One released schema, which is never edited: a change is a new release at the end of its subject's list."""

    id: int
    file: str
    sha256: str

    @property
    def text(self) -> bytes:
        return files("schemas").joinpath("avsc", self.file).read_bytes()

    @property
    def schema(self) -> Schema:
        schema: Schema = json.loads(self.text)
        return schema

    @property
    def unchanged(self) -> bool:
        """Whether the file is still what was released."""
        return sha256(self.text).hexdigest() == self.sha256


@cache
def releases() -> Mapping[str, tuple[Release, ...]]:
    """Return every subject's releases, oldest first."""
    listed = json.loads(files("schemas").joinpath("ids.json").read_bytes())
    return {subject: tuple(Release(**release) for release in entries) for subject, entries in listed.items()}


def subject_of(record: type) -> str:
    """Return the subject of the topic that carries `record`, named as the schema registry names it."""
    for spec in TOPICS:
        if spec.record == record.__name__:
            return f"{spec.name}-value"
    raise LookupError(f"no topic in schemas/topics carries {record.__name__}: name it in a TopicSpec, `record=`")


class FileSchemaIds:
    """The ids of `schemas/ids.json`, for brokers without a registry."""

    def __init__(self) -> None:
        self._schemas = {release.id: release.schema for listed in releases().values() for release in listed}

    def id_for(self, subject: str, schema: Schema) -> int:
        for release in releases().get(subject, ()):
            if release.schema == schema:
                return release.id
        raise LookupError(f"schemas/ids.json has no such schema for {subject}")

    def schema_for(self, schema_id: int) -> Schema:
        return self._schemas[schema_id]
