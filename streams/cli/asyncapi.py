"""`cxone-streams asyncapi`: our topics, for those who consume them."""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

AVRO = "application/vnd.apache.avro+json;version=1.9.0"
WIRE = "a zero byte, the schema's id in four bytes, and the record in Avro's binary encoding"


def asyncapi(
    path: Annotated[Path | None, typer.Argument(help="File to write; standard output when not given.")] = None,
    *,
    server: Annotated[
        str, typer.Option(help="host:port of your brokers, as the document shows it.")
    ] = "kafka.example:9092",
) -> None:
    """Write an AsyncAPI 3 document of every topic with records in Avro: keys, headers, schemas, who writes it.

    Asks no broker: it is what the code declares.
    """
    text = jsonlib.dumps(document(server), indent=2, ensure_ascii=False) + "\n"
    if path is None:
        typer.echo(text, nl=False)
    else:
        from streams.cli.ending import writing

        with writing(path):
            path.write_text(text)


def document(server: str) -> dict[str, Any]:
    """Return the document."""
    from importlib.metadata import PackageNotFoundError, version

    from schemas.releases import releases
    from schemas.topics import TOPICS
    from streams import topology

    try:
        ours = version("cxone-streams")
    except PackageNotFoundError:  # in an image that has the code alone
        ours = "0"
    channels, operations, messages, payloads = {}, {}, {}, {}
    for spec in TOPICS:
        listed = releases().get(f"{spec.name}-value") or next(
            (found for subject, found in releases().items() if found[-1].schema["name"] == spec.record), None
        )
        if listed is None:
            continue
        name, schema = spec.record, listed[-1].schema
        payloads[name] = {"schemaFormat": AVRO, "schema": schema}
        messages[name] = {
            "name": name,
            "summary": schema.get("doc", name),
            "description": f"On the wire: {WIRE}.",
            "contentType": "avro/binary",
            "headers": {"$ref": "#/components/schemas/headers"},
            "payload": {"$ref": f"#/components/schemas/{name}"},
            "bindings": {"kafka": {"schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent"}},
        }
        kafka = {"topic": spec.name, "partitions": spec.partitions, "topicConfiguration": _configuration(spec)}
        channels[spec.name] = {
            "address": spec.name,
            "description": f"Key: {spec.key}. Written by {', '.join(topology.writers(spec.name))}.",
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "servers": [{"$ref": "#/servers/kafka"}],
            "bindings": {"kafka": kafka},
        }
        operations[f"publish {spec.name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{spec.name}"},
            "messages": [{"$ref": f"#/channels/{spec.name}/messages/{name}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "cxone-streams",
            "version": ours,
            "description": "What the stages of cxone-streams publish. Records come at least once; the header"
            " cxone-source-position tells repeats, and rows of compacted topics replace those before them.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "avro/binary",
        "servers": {"kafka": {"host": server, "protocol": "kafka"}},
        "channels": channels,
        "operations": operations,
        "components": {"schemas": {"headers": _headers(), **payloads}, "messages": messages},
    }


def _configuration(spec: Any) -> dict[str, Any]:
    from connectors.kafka.topic_admin import configuration

    said = configuration(spec)
    shown: dict[str, Any] = {"cleanup.policy": said["cleanup.policy"].split(",")}
    if "retention.ms" in said:
        shown["retention.ms"] = int(said["retention.ms"])
    return shown


def _headers() -> dict[str, Any]:
    from schemas.envelope import EVENT_ID, LOG_TIME, REPLAY_FOR, SOURCE_POSITION

    described = {
        SOURCE_POSITION: "partition:offset of what the record came from: a record that comes again has the same",
        EVENT_ID: "CXone's id of the event, where it has one",
        LOG_TIME: "milliseconds since the epoch: what events are too late by",
        REPLAY_FOR: "the one stage that the record is replayed for; others pass over it",
    }
    properties = {name: {"type": "string", "description": text} for name, text in described.items()}
    return {"type": "object", "properties": properties}
