"""What audit reads and writes."""

from schemas.topics import DASHBOARD_AUDIT, DASHBOARD_AUDIT_HEADS
from streams.core.declaration import Declaration

DECLARATION = Declaration(
    name="audit",
    reads=DASHBOARD_AUDIT,
    writes=(DASHBOARD_AUDIT_HEADS,),
    into="day files",
)
