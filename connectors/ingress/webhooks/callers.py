"""Who calls: the headers and the bytes of a request -> a known caller, or nobody. No I/O; time is an argument.

Three ways in which a caller shows who it is:

* a shared secret in a header of its own (a Studio action can send nothing better),
* Standard Webhooks 1.0 (https://www.standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`,
* the way NICE's Expert signs: HMAC-SHA256 over `timestamp.body`.

The library `standardwebhooks` is not used here: it decodes the body before it checks it, so that a signed body with
bytes that are no UTF-8 looks forged, and it reads the clock itself. The tests hold this module to that library.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Scheme = Literal["secret", "standard", "hmac"]

SECRET = "X-CXone-Webhook-Secret"  # noqa: S105 - the name of a header
STANDARD_ID, STANDARD_TIMESTAMP, STANDARD_SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
NEXUS_ID, NEXUS_TIMESTAMP, NEXUS_SIGNATURE = "X-Nexus-Delivery-Id", "X-Nexus-Timestamp", "X-Nexus-Signature-256"

TOLERANCE = 300  # seconds that a sender's clock may be off, or a request on its way
SHORTEST_SECRET = 16  # characters; bytes of what `whsec_` stands before
LONGEST_ID = 256  # characters of a delivery id
_PREFIX = "whsec_"
_TIMESTAMP_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Claim:
    """What the headers say, still to be held against the body.

    `delivery_id` is the sender's name for this delivery: the same when it repeats. `signed` stands before the body in
    what was signed; `signatures` are those that were sent, any of which may fit.
    """

    delivery_id: str | None = None
    signed: bytes = field(default=b"", repr=False)
    signatures: tuple[bytes, ...] = field(default=(), repr=False)


class Callers(Protocol):
    """Tells known callers from everybody else."""

    def claim(self, headers: Mapping[str, str], now: float) -> Claim | None:
        """Look at the headers alone, before the body is read: None refuses the caller. `now` in seconds (epoch)."""

    def proves(self, claim: Claim, body: bytes) -> bool:
        """Whether the body is what the claim's caller sent."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """Callers that send one of `secrets`; several, so that one can be replaced without a gap."""

    secrets: tuple[bytes, ...] = field(repr=False)

    def claim(self, headers: Mapping[str, str], now: float) -> Claim | None:  # noqa: ARG002 - of the protocol
        given, known = _digest(_bytes(headers.get(SECRET, ""))), False
        for secret in self.secrets:  # all of them: the time says nothing about which one it was
            known |= hmac.compare_digest(given, _digest(secret))
        return Claim() if known else None

    def proves(self, claim: Claim, body: bytes) -> bool:  # noqa: ARG002 - of the protocol
        return True


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """Callers that sign as Standard Webhooks says, with one of `secrets`."""

    secrets: tuple[bytes, ...] = field(repr=False)

    def claim(self, headers: Mapping[str, str], now: float) -> Claim | None:
        delivery = _id(headers.get(STANDARD_ID, ""))
        at = _recent(headers.get(STANDARD_TIMESTAMP, ""), now)
        if delivery is None or at is None:
            return None
        sent = headers.get(STANDARD_SIGNATURE, "").split(" ")
        signatures = tuple(_bytes(each[3:]) for each in sent if each.startswith("v1,"))
        return Claim(delivery, _bytes(f"{delivery}.{at}."), signatures) if signatures else None

    def proves(self, claim: Claim, body: bytes) -> bool:
        return _any_fits(self.secrets, claim, body, base64.b64encode)


@dataclass(frozen=True, slots=True)
class NexusSignature:
    """Callers that sign as NICE's Expert webhooks do, with one of `secrets`. The delivery id is not signed."""

    secrets: tuple[bytes, ...] = field(repr=False)

    def claim(self, headers: Mapping[str, str], now: float) -> Claim | None:
        delivery = _id(headers.get(NEXUS_ID, ""))
        at = _recent(headers.get(NEXUS_TIMESTAMP, ""), now)
        signature = headers.get(NEXUS_SIGNATURE, "")
        if delivery is None or at is None or not signature.startswith("sha256="):
            return None
        return Claim(delivery, _bytes(f"{at}."), (_bytes(signature.removeprefix("sha256=").lower()),))

    def proves(self, claim: Claim, body: bytes) -> bool:
        return _any_fits(self.secrets, claim, body, binascii.hexlify)


def known_callers(scheme: Scheme, secrets: Sequence[str]) -> Callers:
    """Return what tells callers that know one of `secrets`.

    Raises ValueError, without any secret in its text, when one is missing, short or badly written.
    """
    if not secrets:
        raise ValueError("holds no secret")
    keys = []
    for place, secret in enumerate(secrets, 1):
        key = _standard_key(secret) if scheme == "standard" else secret.encode()
        if key is None:
            raise ValueError(f"secret {place} is not base64 after {_PREFIX}")
        if len(key if scheme == "standard" else secret) < SHORTEST_SECRET:
            raise ValueError(f"secret {place} is shorter than {SHORTEST_SECRET} characters")
        keys.append(key)
    kinds: dict[Scheme, Callable[[tuple[bytes, ...]], Callers]] = {
        "secret": SharedSecret,
        "standard": StandardWebhooks,
        "hmac": NexusSignature,
    }
    return kinds[scheme](tuple(keys))


def _standard_key(secret: str) -> bytes | None:
    text = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def _any_fits(secrets: tuple[bytes, ...], claim: Claim, body: bytes, written: Callable[[bytes], bytes]) -> bool:
    fits = False
    for secret in secrets:
        mac = hmac.new(secret, claim.signed, hashlib.sha256)
        mac.update(body)
        expected = written(mac.digest())
        for signature in claim.signatures:
            fits |= hmac.compare_digest(expected, signature)
    return fits


def _id(text: str) -> str | None:
    return text if 0 < len(text) <= LONGEST_ID and text.isascii() and text.isprintable() else None


def _recent(text: str, now: float) -> str | None:
    if not (0 < len(text) <= _TIMESTAMP_DIGITS and text.isascii() and text.isdigit()):
        return None
    return text if abs(now - int(text)) <= TOLERANCE else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # as the header's bytes were read


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
