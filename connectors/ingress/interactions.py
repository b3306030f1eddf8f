"""CXone's events socket -> cxone.raw.interactions."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from connectors.cxone.dialect import EventSocket, load
from connectors.cxone.websocket import Opening
from connectors.ingress.raw_record import Feed, Metrics
from connectors.ingress.relay import Begin, Source
from connectors.settings import CxoneSettings
from schemas.frame_fields import InteractionFields, identity
from schemas.topics import RAW_INTERACTIONS

CONNECTOR = "interactions"
METRICS = Metrics(CONNECTOR)


def source(settings: CxoneSettings) -> Source:
    """Return the socket of the tenant. Raises ConfigurationError naming what is not set, or wrong in the dialect."""
    section = load(settings.dialect).interactions
    begin = opening(section.socket_url(settings), section.socket)
    return Source.of(section, settings, begin, feed(section.fields.interaction()))


def feed(fields: InteractionFields) -> Feed:
    """Return what becomes of frames: their key is the interaction's id."""
    return Feed(
        CONNECTOR, RAW_INTERACTIONS, METRICS, lambda frame: identity(frame, fields.interaction_id), fields.event_id
    )


def opening(url: str, dialect: EventSocket) -> Begin:
    """Return how the events socket begins: the token in the query, and the subscription."""
    parts = urlsplit(url)

    def begin(token: SecretStr) -> Opening:
        query = [*parse_qsl(parts.query, keep_blank_values=True), (dialect.token_parameter, token.get_secret_value())]
        return Opening(urlunsplit(parts._replace(query=urlencode(query))), messages=(dialect.hello,))

    return begin
