"""Dead letters: what a step could not read or deliver, and why."""

from prometheus_client import Counter

from schemas.envelope import Headers, Outgoing, Record, size
from schemas.topics.dead_letters import DEAD_LETTERS

DEAD_REASON = "cxone-dead-reason"  # one of a stage's fixed reasons: counted, filtered, alerted on
DEAD_DETAIL = "cxone-dead-detail"  # a sentence for a person
DEAD_STAGE = "cxone-dead-stage"
DEAD_SOURCE = "cxone-dead-source"  # "<topic>:<partition>:<offset>" of the refused record
DEAD_TRUNCATED = "cxone-dead-truncated"  # full length in bytes, where the original was too large to carry

WRITTEN = Counter("cxone_dead_letters", "Dead letters that stages made, repeats too.", ["stage", "reason"])


def dead_letter(  # noqa: PLR0913 - a dead letter is all of these
    topic: str, partition: int, record: Record, *, stage: str, reason: str, detail: str, max_bytes: int = 900_000
) -> Outgoing:
    """Wrap a refused record: its bytes, key and headers as they were, and why it was refused.

    It fits `max_bytes`: a longer value is cut, key and headers that take more than a tenth are left out, and
    `DEAD_TRUNCATED` gives the value's full length. The dead letter points at the original by `DEAD_SOURCE`.
    """
    WRITTEN.labels(stage, reason).inc()
    key, value, original = record.key, record.value, tuple(record.headers)
    beside = size(key, None, original)
    cut: Headers = ()
    if beside > max_bytes // 10 or len(value or b"") > max_bytes - beside:
        cut = ((DEAD_TRUNCATED, str(len(value or b"")).encode()),)
        if beside > max_bytes // 10:
            key, original, beside = None, (), 0
        value = value and value[: max_bytes - beside]
    headers = (
        *original,
        (DEAD_STAGE, stage.encode()),
        (DEAD_REASON, reason.encode()),
        (DEAD_DETAIL, detail.encode("utf-8", "replace")),
        (DEAD_SOURCE, f"{topic}:{partition}:{record.offset}".encode()),
        *cut,
    )
    return Outgoing(DEAD_LETTERS.name, key, value, headers)
