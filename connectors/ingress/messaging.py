"""CXone's web-messaging socket -> cxone.raw.messages."""

import json
from collections.abc import Mapping

import orjson
from pydantic import SecretStr

from connectors.cxone.connection import Answer, Auth
from connectors.cxone.dialect import TOKEN, MessageSocket, load
from connectors.cxone.websocket import Opening
from connectors.ingress.raw_record import Feed, Metrics
from connectors.ingress.relay import Begin, Source
from connectors.settings import CxoneSettings
from schemas.frame_fields import MessageFields, Paths, first, identity
from schemas.topics import RAW_MESSAGES

CONNECTOR = "messaging"
METRICS = Metrics(CONNECTOR)


def source(settings: CxoneSettings) -> Source:
    """Return the socket of the tenant. Raises ConfigurationError naming what is not set, or wrong in the dialect."""
    section = load(settings.dialect).messaging
    fields = section.fields.message()
    begin = opening(section.socket_url(settings), section.socket, fields.event_type)
    return Source.of(section, settings, begin, feed(fields))


def feed(fields: MessageFields) -> Feed:
    """Return what becomes of frames: their key is the guest's fingerprint, or else the conversation's id."""

    def key(frame: Mapping[str, object]) -> str | None:
        return fields.guest(frame) or identity(frame, fields.conversation_id)

    return Feed(CONNECTOR, RAW_MESSAGES, METRICS, key, fields.event_id)


def opening(url: str, dialect: MessageSocket, event_type: Paths) -> Begin:
    """Return how the messaging socket begins: with the token as its first message, which CXone may answer."""

    def begin(token: SecretStr) -> Opening:
        value = token.get_secret_value()

        def answer(data: bytes) -> Answer | None:
            kind = _kind(data, event_type)
            if kind in dialect.refused:
                return Answer.REFUSED
            return Answer.ACCEPTED if kind in dialect.accepted else None

        hello = dialect.hello.replace(TOKEN, json.dumps(value)[1:-1])
        return Opening(url, messages=(hello,), auth=Auth(answer, dialect.refused_codes))

    return begin


def _kind(data: bytes, event_type: Paths) -> object:
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return first(content, event_type) if isinstance(content, dict) else None
