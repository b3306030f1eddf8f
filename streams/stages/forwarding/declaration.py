"""What forwarding reads, writes and keeps."""

from schemas.topics import DASHBOARD_AUDIT, DASHBOARD_CHANGES
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="forwarding",
    reads=DASHBOARD_CHANGES,
    hears=(DASHBOARD_AUDIT,),
    tables=(Table(name="calls", key="partition | epoch", holds="which changes are forwarded"),),
    into="the endpoints of BI tools",
)
