"""What can go wrong in an adapter.

* ConnectorError
  x ConfigurationError      a setting or dialect is wrong: says which, what was wrong and what would be right
  x PublishError            Kafka refused a record for good, or it was given up
    - TimedOutError         records came too late: the publisher gave them up, or their topic takes none so old
    - AbortedError          a transaction was aborted: none of its records will ever be seen
  x FencedError             another program uses the same transactional id
  x AuthorizationError      CXone refused credentials or scope
    - SubscriptionRefused   CXone refused an event subscription: says why, in CXone's words
  x SinkError               InfluxDB, the CRM or CXone's API refused or is unreachable
    - Unavailable           try again later (`retry_after` seconds, if it was said)
    - Misconfigured         a token, URL or name is wrong: needs a person, keep trying
"""


class ConnectorError(Exception):
    """Any error of an adapter."""


class ConfigurationError(ConnectorError):
    """A setting is missing or wrong."""


class PublishError(ConnectorError):
    """Kafka refused a record for good, or it was given up; nothing that came with it may be acknowledged."""


class TimedOutError(PublishError):
    """Records came too late. Others of the same call may have arrived.

    The publisher gave them up after its `message.timeout.ms`, or their topic takes none with so old a time
    (`message.timestamp.before.max.ms`).
    """


class AbortedError(PublishError):
    """A transaction was aborted: no reader of committed records will ever see any of its records."""


class FencedError(ConnectorError):
    """A transactional id is used by another program: this one must end, or both go on for ever."""


class AuthorizationError(ConnectorError):
    """CXone refused the credentials or the scope."""


class SubscriptionRefused(AuthorizationError):
    """CXone refused an event subscription: another one has to be asked for, in the dialect."""


class SinkError(ConnectorError):
    """A sink did not take what it was given."""


class Unavailable(SinkError):
    """It cannot be taken now."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Misconfigured(SinkError):
    """Everything will be refused until a person changes a setting, such as a token, a URL or a bucket."""
