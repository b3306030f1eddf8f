"""JSON in the one form that everybody can hash again: RFC 8785, and SHA-256 over it."""

import json
from hashlib import sha256
from typing import Any

import rfc8785

RAW = "raw:"  # before the hash of bytes that have no canonical form


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 canonical JSON of `value`, made of what JSON knows.

    Raises ValueError where there is none: integers beyond 53 bits, numbers that are not finite, half surrogates.
    """
    return rfc8785.dumps(value)


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data`: 64 hexadecimal digits."""
    return sha256(data).hexdigest()


def payload_hash(document: bytes) -> str:
    """Return the hash of a JSON document, whatever its white space and the order of its keys.

    A document without a canonical form (a number that doubles cannot hold, or no JSON at all) is hashed byte for byte,
    and its hash begins with `RAW`.
    """
    try:
        return digest(canonical(json.loads(document)))
    except (ValueError, RecursionError):
        return RAW + digest(document)


def sayable(text: str, longest: int) -> str:
    """Return at most `longest` characters of `text`, with half surrogates replaced: UTF-8 cannot carry them."""
    return text.encode("utf-8", "replace").decode()[:longest]
