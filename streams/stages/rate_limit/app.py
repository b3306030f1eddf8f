"""cxone.guest.messages -> rate limit -> cxone.guest.admitted, cxone.guest.throttled, dead letters.

Effectively once as to what is decided: each message is admitted or throttled, whatever is killed, and goes out at least
once, with its position in cxone.guest.messages. Ordered per guest in, per conversation and source partition out.
"""

from collections.abc import Mapping

from connectors.settings import KafkaSettings, load
from schemas.records import GuestMessage, GuestThrottled
from streams.runtime.app import App
from streams.runtime.assembly import attach_stateful, declared, stored
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import SEAL_INTERVAL
from streams.stages.rate_limit.declaration import DECLARATION
from streams.stages.rate_limit.guests import STAGE, Guests
from streams.stages.rate_limit.settings import RateLimitSettings
from streams.stages.rate_limit.window import Policy


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, own = load(KafkaSettings), load(WorkerSettings), load(RateLimitSettings)
    codec = StageCodec.from_settings()
    decode, encode = codec.decoder(GuestMessage), codec.encoder(GuestThrottled)
    app = declared(DECLARATION, kafka, worker, codec)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Guests:
        partitions = app.source_partitions() or DECLARATION.reads.partitions
        policy = Policy(
            limit=own.guest_limit,
            conversation_limit=own.conversation_limit or 2 * own.guest_limit,
            ceiling=-(-own.tenant_limit // partitions),
            window=int(own.guest_window * 1000),
            lateness=int(own.guest_lateness * 1000),
            clock_skew=int(own.guest_clock_skew * 1000),
            count_refused=own.guest_count_refused,
        )
        return Guests(partition, stored, policy=policy, decode=decode, encode=encode)

    state = stored(app, "recent", kafka)
    attach_stateful(app, STAGE, state, core, interval=SEAL_INTERVAL, eager=True, refusals=worker.dead_letter_share)
    return app
