from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from schemas.avro import Codec
from schemas.records.audit import AuditHead, Tip
from schemas.releases import FileSchemaIds
from streams.core.audit.heads import KeyFormatError, new_key, private_key, public_key, verified
from tests.support.audit_trail import KEYS, PRIVATE, PUBLIC, SIGN, entries

HEAD = SIGN(AuditHead(1, "20260101", 3, "a" * 64, 1, "0" * 64, {"0": Tip(sequence=1, epoch=1, hash="b" * 64)}, "", ""))


def test_a_head_is_verified_with_the_key_that_signed_it() -> None:
    assert verified(HEAD, KEYS) is None


@pytest.mark.parametrize(
    "changes", [{"time": 2}, {"lines": 4}, {"chains": {}}, {"signature": ""}, {"signature": "zz"}, {"line": "c" * 64}]
)
def test_a_head_that_was_changed_is_not_believed(changes: dict[str, object]) -> None:
    assert verified(replace(HEAD, **changes), KEYS) == "its signature is wrong"  # type: ignore[arg-type]


def test_another_key_is_not_trusted() -> None:
    assert "not trusted" in str(verified(HEAD, {}))


def test_the_public_key_is_read_from_either_pem() -> None:
    assert public_key(PRIVATE) == public_key(PUBLIC)
    assert new_key()[0] != PRIVATE


_EC = generate_private_key(SECP256R1())
EC_PRIVATE = _EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
EC_PUBLIC = _EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "pem",
    [b"", b"nonsense", EC_PRIVATE, EC_PUBLIC, PRIVATE[:60], PUBLIC[:40]],
    ids=["empty", "nonsense", "private EC", "public EC", "half private", "half public"],
)
def test_what_is_no_ed25519_key_is_an_error_without_the_pem_in_it(pem: bytes) -> None:
    with pytest.raises(KeyFormatError) as error:
        public_key(pem)

    assert "BEGIN" not in str(error.value)
    with pytest.raises(KeyFormatError):
        private_key(pem)


def test_a_head_and_an_entry_travel_as_avro() -> None:
    codec = Codec(FileSchemaIds())

    for record in (HEAD, *entries(2), *entries(1, after=entries(2), actor="Bőrje")):
        kind: Any = type(record)
        assert codec.decoder(kind)(codec.encoder(kind)(record)) == record
