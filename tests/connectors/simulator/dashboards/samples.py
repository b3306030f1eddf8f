"""Dashboards as clients send them."""

from typing import Any


def dashboard(*, name: str = "A", widgets: int = 2) -> dict[str, Any]:
    return {
        "name": name,
        "description": "",
        "refreshInterval": 15,
        "layout": {"columns": 4},
        "widgets": [
            {
                "type": "metric",
                "title": f"W{number}",
                "query": {"groupBy": ["skill"], "metrics": [{"name": "n", "aggregation": "COUNT"}], "filters": []},
                "layout": {"x": number % 4, "y": number // 4, "w": 1, "h": 1},
                "refreshInterval": 10,
            }
            for number in range(widgets)
        ],
    }
