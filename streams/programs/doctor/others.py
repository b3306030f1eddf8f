"""What other systems say when they are asked: Kafka, the registry, CXone's token servers, sinks."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from connectors.cxone import dialect
from connectors.cxone.oauth import Credentials, TokenSource
from connectors.errors import ConfigurationError, ConnectorError, Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.http.transport import Transport
from connectors.kafka import checkup
from connectors.kafka.topic_admin import TopicAdmin, copartition_mismatches
from connectors.settings import CrmSettings, CxoneSettings, InfluxSettings, KafkaSettings, RegistrySettings, load
from connectors.sinks.influx import InfluxWriter
from connectors.sinks.settings import InferenceSettings
from schemas.topics import EVENT_TIME
from streams import topology
from streams.programs.doctor.findings import Check, Colour, Wrong

TIMEOUT = 8.0  # seconds for one answer
CLOCKS_APART = 2.0  # seconds; half as much again, and a late row could go over its successor's
OF_TOKENS = "check CXONE_CLIENT_ID, CXONE_CLIENT_SECRET, and the scopes that they may have"
FORBIDDEN = (401, 403)
SECTIONS = ("interactions", "messaging", "analytics", "dashboards")
Settings = TypeVar("Settings", bound=BaseSettings)
NOTHING_KNOWN = "Kafka was not reached"


def checks() -> list[Check]:
    """Return the checks that ask other systems."""
    reached = Reached()
    return [
        Check("Kafka", reached.look, "check KAFKA_BOOTSTRAP_SERVERS, and whether the broker runs"),
        Check("topics", partial(reached.first, topics), "cxone-streams topics create makes what is missing"),
        Check("rights", partial(reached.first, rights), "give this client Read and Write on what is named"),
        Check("clock", partial(reached.first, clock), "let NTP set the clocks of this machine and the brokers"),
        Check("schema registry", registry, "check SCHEMA_REGISTRY_URL, _USERNAME and _PASSWORD"),
        *(Check(f"token for {section}", partial(token, section), OF_TOKENS) for section in SECTIONS),
        Check("InfluxDB", influx, "check INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG and INFLUX_BUCKET"),
        Check("CRM", crm, "check CRM_URL and CRM_TOKEN"),
        Check("model", model, "check INFERENCE_URL and INFERENCE_TOKEN"),
    ]


class Reached:
    """Whether Kafka answers: what else is asked of it waits for that, and says nothing of its own when it does not."""

    def __init__(self) -> None:
        self._asking: asyncio.Future[str] | None = None

    async def look(self) -> str:
        if self._asking is None:
            self._asking = asyncio.ensure_future(asyncio.to_thread(_reach))
        return await asyncio.shield(self._asking)

    async def first(self, look: Callable[[Mapping[str, object]], str]) -> str:
        try:
            await self.look()
        except ConnectorError:
            raise Wrong(NOTHING_KNOWN, "mend that first", colour=Colour.YELLOW) from None
        return await asyncio.to_thread(look, load(KafkaSettings).librdkafka())


def _reach() -> str:
    settings = load(KafkaSettings)
    brokers = checkup.reach(settings.librdkafka())
    return f"{brokers} broker{'s' if brokers != 1 else ''} by way of {settings.bootstrap_servers}"


def topics(config: Mapping[str, object]) -> str:
    """Say whether topics are as declared."""
    admin, wanted = TopicAdmin(config), topology.configured(topology.topics())
    there = admin.partitions()
    absent = [spec.name for spec in wanted if spec.name not in there]
    hidden = checkup.hidden(config, absent)
    if missing := [name for name in absent if name not in hidden]:
        raise Wrong(f"missing: {_some(missing)}")
    if hidden:
        raise Wrong(f"Kafka does not let this client see {_some(hidden)}", "give it Describe on them")
    if wrong := copartition_mismatches(wanted, there):
        raise Wrong("; ".join(wrong), "see docs/operations.md, Topics")
    try:
        drift = admin.drift(wanted)
    except ConfigurationError as refused:
        raise Wrong(
            f"{len(wanted)} are there; {refused}", "with DescribeConfigs it is compared, too", colour=Colour.YELLOW
        ) from None
    # What decides which records are there, and what time they have, is red; a number of partitions may be meant.
    grave = [str(each) for each in drift if each.what in {"cleanup.policy", "message.timestamp.type"}]
    if drift:
        raise Wrong(
            _some(grave or [str(each) for each in drift]),
            "kafka-configs alters a topic; cxone-streams topics check lists all that differs",
            colour=Colour.RED if grave else Colour.YELLOW,
        )
    return f"{len(wanted)} topics as declared"


def rights(config: Mapping[str, object]) -> str:
    """Say whether this client may read and write."""
    names = [spec.name for spec in topology.topics()]
    missing = checkup.missing_rights(config, names, [each.group for each in topology.DECLARATIONS.values()])
    of_groups = [each for each in missing if each.startswith("group ")]
    of_topics = missing[: len(missing) - len(of_groups)]
    if missing:
        raise Wrong("missing: " + "; ".join(_some(each) for each in (of_topics, of_groups) if each))
    return "may read and write every topic, as every stage's group"


def clock(config: Mapping[str, object]) -> str:
    """Say how far the broker's clock is from ours."""
    try:
        ahead = checkup.clock_ahead(config, EVENT_TIME.name)
    except ConfigurationError as refused:
        raise Wrong(f"the broker's cannot be read: {refused}", "mend that first", colour=Colour.YELLOW) from None
    said = f"the broker's is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) > CLOCKS_APART:
        raise Wrong(said)
    return f"this machine's and the broker's are less than {CLOCKS_APART:g} s apart"


def _some(texts: list[str], most: int = 3) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


async def registry() -> str:
    """Say whether the registry answers."""
    settings = load(RegistrySettings)
    if settings.url is None:
        return "none is set: schema ids are the package's"
    headers = {}
    if settings.username is not None and settings.password is not None:
        pair = f"{settings.username}:{settings.password.get_secret_value()}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    answer = await _asked("the schema registry", "GET", settings.url, "/subjects", headers)
    if not answer.is_success:
        raise Wrong(f"answers {answer.status}")
    listed = answer.json()
    return f"has {len(listed) if isinstance(listed, list) else 0} subjects"


async def token(section: str) -> str:
    """Say whether CXone grants a token with the scopes that a section of the dialect asks for."""
    settings = _given(CxoneSettings)
    spoken = getattr(dialect.load(settings.dialect), section)
    url = spoken.token_url(settings)
    credentials = Credentials(
        token_url=url,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=spoken.oauth.scope,
        renew_before=spoken.oauth.renew_before,
    )
    exchange = _Once("the token server", Transport(url), timeout=TIMEOUT)
    source = TokenSource(credentials, exchange, sleep=exchange.give_up)
    try:
        await source.token()
    finally:
        await exchange.close()
    return f"granted with {spoken.oauth.scope}"


class _Once(Exchange):
    """An exchange whose failure is said instead of tried again."""

    def __init__(self, peer: str, transport: Transport, *, timeout: float) -> None:
        super().__init__(peer, transport, timeout=timeout)
        self._said = "no answer"

    async def ask(self, *arguments: object, **named: object) -> Answer:
        try:
            answer = await super().ask(*arguments, **named)  # type: ignore[arg-type]  # as they are
        except Unavailable as failure:
            self._said = str(failure)
            raise
        self._said = f"the token server answers {answer.status} without a token"
        return answer

    async def give_up(self, _seconds: float) -> None:
        raise Wrong(self._said)


async def influx() -> str:
    """Say whether InfluxDB would take points: a comment is written, which is none."""
    settings = _given(InfluxSettings)
    writer = InfluxWriter(settings)
    try:
        await writer.write(["# doctor"])
    finally:
        await writer.close()
    return f"takes points for {settings.bucket}"


async def crm() -> str:
    """Say whether the CRM answers; nothing is sent to it."""
    settings = _given(CrmSettings)
    return await _answers("the CRM", settings.url, settings.token)


async def model() -> str:
    """Say whether the model's endpoint answers; nothing is sent to it."""
    settings = _given(InferenceSettings)
    return await _answers("the model", settings.url, settings.token)


async def _answers(peer: str, url: str, secret: SecretStr | None) -> str:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret.get_secret_value()}"}
    answer = await _asked(peer, "HEAD", url, "", headers)
    if answer.status in FORBIDDEN:
        raise Wrong(f"{peer} refuses the token ({answer.status})")
    if answer.is_server_error and answer.status != 501:  # noqa: PLR2004 - it may not implement HEAD
        raise Wrong(f"{peer} answers {answer.status}", colour=Colour.YELLOW)
    return f"answers ({answer.status} to HEAD)"


async def _asked(peer: str, method: str, url: str, path: str, headers: Mapping[str, str]) -> Answer:
    exchange = Exchange(peer, Transport(url), timeout=TIMEOUT)
    try:
        return await exchange.ask(method, url.rstrip("/") + path, headers=headers)
    finally:
        await exchange.close()


def _given(model: type[Settings]) -> Settings:
    """Load settings; what is not set is yellow."""
    try:
        return load(model)
    except ConfigurationError as wrong:
        if all("is not set" in line for line in str(wrong).splitlines()):
            raise Wrong("not asked: its settings are not set", colour=Colour.YELLOW) from None
        raise
