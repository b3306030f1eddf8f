"""Whether readers of committed records see what callers were answered."""

from collections import Counter

from schemas.avro import Codec
from schemas.records import CXoneInteraction
from schemas.releases import FileSchemaIds
from schemas.topics import INTERACTIONS_ML, RAW_WEBHOOKS
from tests.kafka.services.webhook_sender import Sent
from tests.support.committed import read_committed


def mistakes(bootstrap: str, sent: Sent) -> list[str]:
    """Return a sentence for each id that is not where it should be, as often as it should be."""
    decode = Codec(FileSchemaIds()).decoder(CXoneInteraction)
    raw = Counter(message.key().decode() for message in read_committed(bootstrap, RAW_WEBHOOKS.name))
    typed = Counter(
        decode(message.value()).interaction_id for message in read_committed(bootstrap, INTERACTIONS_ML.name)
    )
    found = [f"{name} was accepted and is not on the raw topic" for name in sent.accepted if not raw[name]]
    found += [
        f"{name}: {raw[name]} times raw, {sent.attempts[name]} attempts"
        for name in raw
        if raw[name] > sent.attempts[name]
    ]
    found += [f"{name}: {typed[name]} times typed" for name in sorted({*raw, *typed}) if typed[name] != 1]
    return found


def all_typed(bootstrap: str) -> bool:
    """Whether every id on the raw topic is on the typed one."""
    raw = {message.key() for message in read_committed(bootstrap, RAW_WEBHOOKS.name)}
    return raw <= {message.key() for message in read_committed(bootstrap, INTERACTIONS_ML.name)}
