from schemas.envelope import Headers

FORM: int

class Record:
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers

def records(batch: memoryview, body: bytes | None, /) -> list[Record] | None: ...
