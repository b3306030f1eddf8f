"""What of the driver is compiled, where it is built: the records of a batch, read in C.

`_records.c` is built, and left out, as `schemas/_usual.c` is: see `schemas.compiled`. It reads what is usual; aiokafka
reads everything else, and would read that, too. Tests hold both to the same records.
"""

import os
from collections.abc import Callable
from typing import Any

from connectors.settings import NO_EXTENSIONS

FORM = 1  # of what is asked, as there

try:
    if os.environ.get(NO_EXTENSIONS):
        raise ImportError  # noqa: TRY301 - as if it were not built
    from streams.runtime.driver import _records

    if getattr(_records, "FORM", None) != FORM:
        raise ImportError  # noqa: TRY301 - as above
except ImportError:
    _records = None  # type: ignore[assignment]  # not built, or not wanted

IS_BUILT = _records is not None

records: Callable[[memoryview, bytes | None], list[Any] | None] | None = None if _records is None else _records.records
"""Returns the records of (a batch of format 2, its records uncompressed or None where they are not compressed).

None where it is for aiokafka to say what is wrong, or unusual: with a header whose name is no UTF-8, or with a marker
of a transaction. The records are like aiokafka's; their headers are a tuple.
"""
