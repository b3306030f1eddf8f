"""CXone's analytics socket -> cxone.raw.analytics."""

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b

import orjson
from pydantic import SecretStr

from connectors.cxone.analytics_dialect import SUBSCRIPTION, SubscribedSocket
from connectors.cxone.connection import Answer, Auth
from connectors.cxone.dialect import load
from connectors.cxone.event_subscriptions import Wanted
from connectors.cxone.websocket import Opening
from connectors.ingress.raw_record import Feed, Metrics
from connectors.ingress.relay import Begin, Source
from connectors.ingress.subscription import Subscription
from connectors.settings import CxoneSettings
from schemas.frame_fields import AnalyticsFields, Paths, first, identity
from schemas.topics import RAW_ANALYTICS

CONNECTOR = "analytics"
METRICS = Metrics(CONNECTOR)


def source(settings: CxoneSettings) -> Source:
    """Return the socket of the tenant. Raises ConfigurationError naming what is not set, or wrong in the dialect."""
    section = load(settings.dialect).analytics
    asked = section.subscription
    wanted = Wanted(url=section.subscription_url(settings), request=asked.request(), id=asked.id, message=asked.message)
    subscription = Subscription(wanted, asked.name)
    fields = section.fields.analytics()
    begin = opening(section.socket_url(settings), section.socket, fields.event_type, subscription)
    return Source.of(section, settings, begin, feed(fields), subscription)


def feed(fields: AnalyticsFields) -> Feed:
    """Return what becomes of frames: their key is whom they tell of, or else a hash of what they say.

    The same frame always has the same key, so that one stage tells it from new ones.
    """

    def key(frame: Mapping[str, object]) -> str | None:
        told = fields.key(frame) or identity(frame, fields.event_id)
        return told or blake2b(orjson.dumps(frame), digest_size=8).hexdigest()

    return Feed(CONNECTOR, RAW_ANALYTICS, METRICS, key, fields.event_id)


def opening(url: str, dialect: SubscribedSocket, event_type: Paths, subscription: Subscription) -> Begin:
    """Return how the analytics socket begins: the token in a header, and the subscription as the first message."""

    def begin(token: SecretStr) -> Opening:
        hello = dialect.hello.replace(SUBSCRIPTION, json.dumps(subscription.id)[1:-1])
        auth = Auth(
            _answer(dialect, event_type),
            refused_codes=(),  # a close says nothing of the subscription: a frame does
            of="the subscription, which it does not know",
            refused=subscription.forgotten,
        )
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        return Opening(url, headers=headers, messages=(hello,), auth=auth)

    return begin


def _answer(dialect: SubscribedSocket, event_type: Paths) -> Callable[[bytes], Answer | None]:
    def answer(data: bytes) -> Answer | None:
        frame = _object(data)
        kind = first(frame, event_type)
        if kind in dialect.refused and first(frame, dialect.code) in dialect.unknown_codes:
            return Answer.REFUSED
        return Answer.ACCEPTED if kind in dialect.accepted else None

    return answer


def _object(data: bytes) -> Mapping[str, object]:
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
