"""How actions reads webhooks."""

from collections.abc import Callable, Mapping
from operator import attrgetter

from prometheus_client import Counter

from schemas.frame_fields import ActionFields, ChangeFields, Kind
from schemas.records import CXoneInteraction, DashboardChange
from schemas.topics import DASHBOARD_CHANGES, INTERACTIONS_ML, RAW_WEBHOOKS
from streams.core.raw_frames.frames import Reading
from streams.stages.actions.delivery import Delivery, interpreter

STAGE = "actions"

FRAMES = Counter("cxone_actions_frames", "Webhooks by what became of them.", ["outcome"])
WITHOUT_ID = Counter("cxone_actions_events_without_id", "Always 0: what has no delivery id goes by path and body.")


def webhooks(
    action: ActionFields,
    change: ChangeFields,
    *,
    encode_interaction: Callable[[CXoneInteraction], bytes],
    encode_change: Callable[[DashboardChange], bytes],
) -> Reading[Delivery]:
    """Return the reading of a dialect."""

    def encode(delivery: Delivery) -> bytes:
        record = delivery.record
        return encode_interaction(record) if isinstance(record, CXoneInteraction) else encode_change(record)

    def route(delivery: Delivery) -> str:
        return (INTERACTIONS_ML if isinstance(delivery.record, CXoneInteraction) else DASHBOARD_CHANGES).name

    return Reading(
        stage=STAGE,
        source=RAW_WEBHOOKS.name,
        destination=INTERACTIONS_ML.name,
        route=route,
        kind=_every_one_is_an_event,
        interpret=interpreter(action, change),
        key=attrgetter("key"),
        encode=encode,
        frames=FRAMES,
        without_id=WITHOUT_ID,
    )


def _every_one_is_an_event(_body: Mapping[str, object]) -> Kind:
    return Kind.EVENT
