"""Ed25519 over heads: what nobody can make again without the private key."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from schemas.records.audit import AuditHead
from streams.core.audit.canonical import canonical, digest

_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", re.DOTALL)

Trusted = dict[str, Ed25519PublicKey]  # by key id
Sign = Callable[[AuditHead], AuditHead]


class KeyFormatError(ValueError):
    """A PEM that holds no Ed25519 key. Its text never has the PEM's."""


def new_key() -> tuple[bytes, bytes]:
    """Return a new (private key, public key) in PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, public_pem(key.public_key())


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """Return the private key in `pem`. Raises KeyFormatError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFormatError("it holds no private key in PEM, or one with a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFormatError("its key is not for Ed25519")
    return key


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Return the public key in `pem`, or that of the private key in it. Raises KeyFormatError."""
    if b"PRIVATE KEY" in pem:
        return private_key(pem).public_key()
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFormatError("it holds no key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFormatError("its key is not for Ed25519")
    return key


def public_keys(pem: bytes) -> list[Ed25519PublicKey]:
    """Return the keys of a file with one or several PEMs. Raises KeyFormatError, also when there is none."""
    return [public_key(each) for each in _PEM.findall(pem) or [b""]]


def key_id(key: Ed25519PublicKey) -> str:
    """Return the id under which heads name their key."""
    return digest(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def trusted(keys: Iterable[Ed25519PublicKey]) -> Trusted:
    """Return the keys by their ids."""
    return {key_id(key): key for key in keys}


def signer(key: Ed25519PrivateKey) -> Sign:
    """Return what signs heads with `key`."""
    name = key_id(key.public_key())

    def sign(head: AuditHead) -> AuditHead:
        head = replace(head, key=name)
        return replace(head, signature=key.sign(_signed(head)).hex())

    return sign


def verified(head: AuditHead, keys: Trusted) -> str | None:
    """Return why `head` is not to be believed, or None."""
    key = keys.get(head.key)
    if key is None:
        return f"it is signed by a key that is not trusted ({head.key[:12]}...)"
    try:
        key.verify(bytes.fromhex(head.signature), _signed(head))
    except (InvalidSignature, ValueError):
        return "its signature is wrong"
    return None


def _signed(head: AuditHead) -> bytes:
    content = msgspec.to_builtins(head)
    del content["signature"]
    return canonical(content)
