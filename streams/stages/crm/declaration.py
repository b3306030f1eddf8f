"""What crm reads, writes and keeps."""

from schemas.topics import GUEST_ADMITTED
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="crm",
    reads=GUEST_ADMITTED,
    tables=(Table(name="batches", key="partition | epoch", holds="batches under way", offsets=False),),
    into="the CRM",
)
