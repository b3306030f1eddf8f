"""Where the commands of `audit` get entries, heads and keys from."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.envelope import Found
    from schemas.records.audit import AuditEntry, AuditHead
    from streams.core.audit.files_check import Day
    from streams.core.audit.heads import Trusted
    from streams.core.audit.topic_check import Read


def folder_of(files: Path | None) -> Path:
    """Return the folder of the day files: what was asked for, or AUDIT_DIR. Raises ConfigurationError."""
    from os.path import isdir

    from connectors.errors import ConfigurationError
    from connectors.settings import load
    from streams.stages.audit.settings import AuditSettings

    folder = files or load(AuditSettings).dir
    if not isdir(folder):  # noqa: PTH112 - pathlib raises over a name that is too long
        raise ConfigurationError(f"{folder}: there is no such folder; --files or AUDIT_DIR names it")
    return folder


def trusted_keys(paths: Sequence[Path]) -> "Trusted":
    """Return the keys in `paths`, or else those of AUDIT_KEY and AUDIT_TRUSTED. Raises ConfigurationError."""
    from connectors.errors import ConfigurationError
    from connectors.settings import load
    from streams.core.audit.heads import KeyFormatError, public_keys, trusted
    from streams.stages.audit.settings import AuditSettings

    settings = load(AuditSettings)
    wanted = list(paths) or [path for path in (settings.key, settings.trusted) if path is not None]
    if not wanted:
        raise ConfigurationError(
            "AUDIT_KEY: without a key nobody can tell whether heads are signed by it; --key takes the public one"
        )
    keys = []
    for path in wanted:
        try:
            keys += public_keys(path.read_bytes())
        except (OSError, KeyFormatError) as wrong:
            raise ConfigurationError(f"{path}: {wrong}") from None
    return trusted(keys)


def days(folder: Path) -> "list[Day]":
    """Return the files of a folder, oldest day first. Raises ConfigurationError when there are none."""
    from connectors.errors import ConfigurationError
    from streams.core.audit.files_check import Day
    from streams.core.audit.lines import day_file, day_of, heads_file

    names = sorted(path.name for path in folder.iterdir())
    found = {day for name in names for day in (day_of(name), day_of(name.replace(".heads.", "."))) if day}
    if not found:
        raise ConfigurationError(f"{folder}: there are no day files in it; --files or AUDIT_DIR names their folder")
    return [Day(day, _lines(folder / day_file(day)), _lines(folder / heads_file(day))) for day in sorted(found)]


def entries(folder: Path) -> "Iterator[AuditEntry]":
    """Yield the entries of a folder; what is no entry is passed over (`verify` names it)."""
    from streams.core.audit.lines import EntryLine, LineError, read_line

    for day in days(folder):
        for data in day.lines:
            try:
                line = read_line(data.removesuffix(b"\n"))
            except LineError:
                continue
            if isinstance(line, EntryLine):
                yield line.entry


def topic() -> "tuple[Iterator[Read], Iterator[AuditHead | None]]":
    """Return the records of the audit topic and its heads, to be read in this order. Raises ConnectorError."""
    from connectors.kafka.schema_ids import schema_ids
    from connectors.kafka.topic_reader import Start, TopicReader
    from connectors.settings import KafkaSettings, RegistrySettings, load
    from schemas.avro import Codec, DecodeError
    from schemas.records.audit import AuditEntry, AuditHead
    from schemas.topics import DASHBOARD_AUDIT, DASHBOARD_AUDIT_HEADS

    codec = Codec(schema_ids(load(RegistrySettings)))
    entry_of, head_of = codec.decoder(AuditEntry), codec.decoder(AuditHead)
    config = load(KafkaSettings).librdkafka()

    def found(name: str) -> "Iterator[Found]":
        with closing(TopicReader(config)) as reader:
            yield from reader.read(name, Start())

    def records() -> "Iterator[Read]":
        for record in found(DASHBOARD_AUDIT.name):
            try:
                yield record.partition, record.offset, entry_of(record.value or b"")
            except DecodeError:
                yield record.partition, record.offset, None

    def heads() -> "Iterator[AuditHead | None]":
        for record in found(DASHBOARD_AUDIT_HEADS.name):
            try:
                yield head_of(record.value or b"")
            except DecodeError:
                yield None

    return records(), heads()


def _lines(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with path.open("rb") as file:
            yield from file
