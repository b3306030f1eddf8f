"""Documents of the tests: a file's, what is applied of it, and what CXone has then."""

import copy
from typing import Any

from streams.stages.dashboards.compiled import compile_document
from streams.stages.dashboards.files import check
from streams.stages.dashboards.widgets import listed

NOW = 1_770_000_000.0  # 2026-02-02T02:40:00Z
DAY = 86_400.0

FILE = """\
id: sales-floor
name: Sales floor
widgets:
  - key: waiting
    title: Waiting now
    type: metric
    position: {x: 0, y: 0, w: 2, h: 1}
    query:
      skills: [sales, support]
      range: -7d
      groupBy: [skill, hour]
      metrics: [total_conversations]
  - title: Talk
    type: table
    position: {x: 2, y: 0, w: 2, h: 1}
    query: {groupBy: [agent], range: -1d, metrics: [avg_handle_time]}
"""


def document(text: str = FILE) -> dict[str, Any]:
    """Return the document of a file."""
    checked = check(text, "f.yaml", NOW)
    assert checked.document is not None, checked.problems
    return checked.document


def payload(text: str = FILE, now: float = NOW) -> dict[str, Any]:
    """Return what is applied of a file, widgets by key."""
    return compile_document(document(text), now)


def in_cxone(text: str = FILE, **changes: Any) -> dict[str, Any]:
    """Return what CXone has after the file was applied, with fields of its own."""
    own = {"id": "sales-floor", "version": 7, "owner": {"name": "somebody", "share": 1.5}}
    return {**own, **copy.deepcopy(listed(payload(text))), **changes}
