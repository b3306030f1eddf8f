"""What the door does, as an OpenAPI 3.1 document and as a page to read. No I/O."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from connectors.ingress.webhooks.callers import (
    NEXUS_ID,
    NEXUS_SIGNATURE,
    NEXUS_TIMESTAMP,
    SECRET,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Callers,
    NexusSignature,
    StandardWebhooks,
)
from connectors.ingress.webhooks.delivery import LARGEST_BODY, Endpoint
from schemas.frame_fields import LONGEST_ID

_REFUSALS = {
    "400": "The body cannot be used; it is kept as a dead letter.",
    "401": "The caller is not known: no secret, a wrong one, a bad signature, or a timestamp of another time.",
    "408": "The body did not come in time.",
    "413": f"The body is larger than {LARGEST_BODY} bytes.",
    "415": "The content type is not application/json, or the body is encoded.",
    "503": "Not stored, or it is not known whether it is. Repeat the request: that is harmless.",
}


def document(endpoints: Sequence[Endpoint], callers: Callers) -> dict[str, Any]:
    """Return the OpenAPI document of a door for these endpoints and callers."""
    paths: dict[str, Any] = {endpoint.path: {"post": _operation(endpoint, callers)} for endpoint in endpoints}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cxone-streams webhooks",
            "version": "1",
            "description": "CXone calls; a 200 says that the bytes are committed to Kafka.",
        },
        "paths": {
            **paths,
            "/livez": {"get": _probe("Whether the program answers.", "200")},
            "/readyz": {"get": _probe("Whether Kafka takes what comes.", "200", "503")},
            "/metrics": {"get": _page("Figures for Prometheus.", "text/plain")},
            "/openapi.json": {"get": _page("This document.", "application/json")},
            "/docs": {"get": _page("This document, to be read.", "text/html")},
        },
        "components": {
            "schemas": {
                "Refused": {
                    "type": "object",
                    "required": ["status", "error"],
                    "properties": {"status": {"const": "refused"}, "error": {"type": "string"}},
                },
                "Probe": {
                    "type": "object",
                    "required": ["ok", "reasons"],
                    "properties": {
                        "ok": {"type": "boolean"},
                        "reasons": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
            "securitySchemes": _security(callers),
        },
    }


def page(described: Mapping[str, Any]) -> str:
    """Return the document as one HTML page that loads nothing."""
    rows = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            answers = "".join(
                f"<li><b>{status}</b> {escape(answer['description'])}</li>"
                for status, answer in operation["responses"].items()
            )
            title = f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            rows.append(f"{title}<p>{escape(operation['summary'])}</p><ul>{answers}</ul>")
    headers = "".join(
        f"<li><code>{escape(scheme['name'])}</code></li>"
        for scheme in described["components"]["securitySchemes"].values()
    )
    info = described["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        "<style>body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}</style>"
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])} The same for programs:"
        f' <a href="/openapi.json">openapi.json</a>.</p><p>Callers send:</p><ul>{headers}</ul>{"".join(rows)}</html>'
    )


def _operation(endpoint: Endpoint, callers: Callers) -> dict[str, Any]:
    where = " or ".join(".".join(path) for path in endpoint.id)
    accepted = {
        "type": "object",
        "required": ["status", endpoint.answered],
        "properties": {"status": {"const": "accepted"}, endpoint.answered: {"type": "string"}},
    }
    content = {"schema": _body(endpoint)}
    return {
        "summary": f"Store one event. Its id is at {where}.",
        "requestBody": {
            "required": True,
            "content": {"application/json": content}
            | ({"*/*": content} if isinstance(callers, NexusSignature) else {}),
        },
        "responses": {
            "200": {
                "description": "Committed to Kafka.",
                "content": {"application/json": {"schema": accepted}},
            },
            **{status: _refusal(status, why) for status, why in _REFUSALS.items()},
        },
        "security": [{name: [] for name in _security(callers)}],
    }


def _body(endpoint: Endpoint) -> dict[str, Any]:
    """Return the schema of a body: exact for one path, and an object where several may lead to the id."""
    if len(endpoint.id) > 1:
        return {"type": "object"}
    schema: dict[str, Any] = {
        "oneOf": [
            {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": "^[^\\u0000]+$"},
            {"type": "number"},
        ]
    }
    for key in reversed(endpoint.id[0]):
        schema = {"type": "object", "required": [key], "properties": {key: schema}}
    return schema


def _refusal(status: str, why: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": why,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
    }
    if status == "503":
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return answer


def _probe(summary: str, *statuses: str) -> dict[str, Any]:
    schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Probe"}}}
    words = {"200": "Yes.", "503": "No: the reasons say why."}
    return {
        "summary": summary,
        "responses": {status: {"description": words[status], "content": schema} for status in statuses},
    }


def _page(summary: str, content_type: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "It.", "content": {content_type: {}}}}}


def _security(callers: Callers) -> dict[str, Any]:
    if isinstance(callers, NexusSignature):
        names = {"id": NEXUS_ID, "timestamp": NEXUS_TIMESTAMP, "signature": NEXUS_SIGNATURE}
    elif isinstance(callers, StandardWebhooks):
        names = {"id": STANDARD_ID, "timestamp": STANDARD_TIMESTAMP, "signature": STANDARD_SIGNATURE}
    else:
        names = {"secret": SECRET}
    return {key: {"type": "apiKey", "in": "header", "name": name} for key, name in names.items()}
