"""Whether readers of committed records see what callers were answered, and the model was asked about it once."""

import json
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Message

from connectors.simulator.inference.endpoints import score_of
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION
from schemas.records import CXoneInteraction, InteractionScore
from schemas.releases import FileSchemaIds
from schemas.topics import INTERACTIONS_ML, ML_SCORES, RAW_WEBHOOKS
from streams.runtime.call_runner import UNWRITTEN
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


def asked(places: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the stand-in's ledger has of each idempotency key."""
    with urllib.request.urlopen(places["inference_ledger_url"] + "/keys", timeout=60) as answer:
        return [json.loads(line) for line in answer.read().splitlines()]


def scoring_mistakes(
    bootstrap: str, keys: Sequence[Mapping[str, Any]], *, kills: int, concurrency: int = 10
) -> list[str]:
    """Return a sentence for each interaction that was not scored once.

    Under its one key the model may have been asked again, and its score may have been written again, by as many calls
    as were under way at `kills` of the worker, or answered and not yet written down.
    """
    most = kills * (1 + UNWRITTEN) * concurrency
    decode = Codec(FileSchemaIds()).decoder(InteractionScore)
    typed = {_position(message): message.key().decode() for message in read_committed(bootstrap, INTERACTIONS_ML.name)}
    under = {row["key"].replace("-", ":"): row for row in keys}
    scores = [(_position(message), decode(message.value())) for message in read_committed(bootstrap, ML_SCORES.name)]
    found = [
        f"{place}, {name}: asked for as {under.get(place)}"
        for place, name in typed.items()
        if under.get(place, {}).get("interaction_id") != name
    ]
    found += [f"{place} was asked for, and is no interaction" for place in under.keys() - typed.keys()]
    found += [f"{place} has no score" for place in typed.keys() - dict(scores)]
    found += [
        f"{place}: {score}, which is not its score"
        for place, score in scores
        if (typed.get(place), score_of(score.interaction_id)) != (score.interaction_id, score.score)
    ]
    again = sum(row["scored"] - 1 for row in keys), len(scores) - len(dict(scores))
    print(f"{len(typed)} interactions, {len(keys)} keys; asked again and written again {again}, at most {most}")  # noqa: T201
    if max(again) > most:
        found.append(f"asked again and written again {again}, more than {most}")
    return found


def all_scored(bootstrap: str) -> bool:
    """Whether everything on the typed topic has a score."""
    typed = {_position(message) for message in read_committed(bootstrap, INTERACTIONS_ML.name)}
    return typed <= {_position(message) for message in read_committed(bootstrap, ML_SCORES.name)}


def _position(message: Message) -> str:
    found: bytes = dict(message.headers())[SOURCE_POSITION]
    return found.decode()
