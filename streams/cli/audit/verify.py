"""`cxone-streams audit verify`: whether the trail is as it was written."""

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.core.audit.findings import Report

HASH_DIGITS = 64


def verify(  # noqa: PLR0913 - its options
    *,
    files: Annotated[
        Path | None, typer.Option(help="Folder of the day files; AUDIT_DIR without it.", metavar="DIR")
    ] = None,
    topic: Annotated[bool, typer.Option("--topic", help="Verify the topic on Kafka instead of files.")] = False,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            help="PEM file with a key whose heads are believed (the public one will do); repeat it for more. "
            "AUDIT_KEY and AUDIT_TRUSTED without it.",
            metavar="PEM",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="The newest head of an earlier time, as this command printed it, or a file with heads (its last "
            "line counts). It has to be there still: so lines are missed that were cut off together with their heads.",
            metavar="HEAD",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="The oldest day that has to be there, when earlier ones were put away.", metavar="YYYYMMDD"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Recompute every hash and signature, and name the first record that is not as it was written.

    Exit status 0: everything is as it was written; 1: something was altered, removed, reordered, cut off, forked or
    hashed anew, or Kafka does not answer; 2: a setting is wrong.
    """
    from streams.cli.audit import reading
    from streams.cli.ending import ended

    with ended():
        keys = reading.trusted_keys(key or [])
        head = _head(against)

        def checked() -> "Report":
            if topic:
                from schemas.topics import DASHBOARD_AUDIT
                from streams.core.audit.topic_check import check_topic

                return check_topic(DASHBOARD_AUDIT.name, *reading.topic(), keys, against=head)
            from streams.core.audit.files_check import check_files

            return check_files(reading.days(reading.folder_of(files)), keys, against=head, since=since)

        report = checked()
        if report.findings:
            report = checked()  # a worker that writes meanwhile may have signed a head between two readings
    if json:
        typer.echo(jsonlib.dumps(asdict(report)))
    else:
        _tell(report)
    if report.findings:
        raise typer.Exit(1)


def _tell(report: "Report") -> None:
    from datetime import UTC, datetime

    for finding in report.findings:
        typer.echo(str(finding))
    if not report.findings:
        typer.echo("everything is as it was written")
    days = f"{report.days} days, " if report.days else ""
    twice = f" ({report.repeated} of them twice, after a kill)" if report.repeated else ""
    typer.echo(f"{days}{report.entries} records{twice}, {report.heads} signed heads")
    if report.unsigned:
        typer.echo(f"{report.unsigned} records stand behind the newest head: they are not signed yet")
    if report.head is not None and report.head_at is not None:
        at = datetime.fromtimestamp(report.head_at / 1000, UTC).isoformat(timespec="seconds")
        typer.echo(f"newest head, of {at}: {report.head}")


def _head(against: str | None) -> str | None:
    """Return the hash that is meant. Raises ConfigurationError."""
    from connectors.errors import ConfigurationError
    from streams.core.audit.canonical import digest

    if against is None or (len(against) == HASH_DIGITS and set(against) <= set("0123456789abcdef")):
        return against
    try:
        lines = Path(against).read_bytes().split(b"\n")
    except (OSError, ValueError):
        raise ConfigurationError(
            f"--against: {against[:80]!r} is no hash of 64 digits, and no file with heads"
        ) from None
    whole = [line for line in lines if line]
    if not whole:
        raise ConfigurationError(f"--against: {against} is empty")
    return digest(whole[-1])
