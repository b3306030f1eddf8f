"""What a dashboard's file may hold, as types: the shape of it. What fields mean together is checked in `rules`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

COLUMNS = 4
MOST_WIDGETS = 15
MOST_GROUPS = 5
LAST_ROW = 200  # rows of the grid

ID = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"  # it stands in a URL
RELATIVE = r"^-[1-9][0-9]{0,4}[mhdw]$"

# What a metric is computed of, for those that are written as a name alone
METRICS: dict[str, tuple[str, str]] = {
    "total_conversations": ("COUNT", "conversation"),
    "avg_handle_time": ("AVG", "handle_time"),
}

Name = Annotated[str, Field(min_length=1, max_length=200)]
Attribute = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")]
Scalar = str | int | float | bool
Seconds = Annotated[int, Field(ge=1, le=86_400)]


def _known_metric(value: Any) -> Any:
    if isinstance(value, str):
        if value not in METRICS:
            raise ValueError(f"is no metric that is known by its name ({', '.join(METRICS)}): write it as an object")
        aggregation, attribute = METRICS[value]
        return {"name": value, "aggregation": aggregation, "attribute": attribute}
    return value


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, allow_inf_nan=False, validate_by_alias=True
    )


class Layout(_Part):
    """The grid that widgets stand in."""

    type: Literal["grid"] = "grid"
    columns: Annotated[int, Field(ge=1, le=COLUMNS)] = COLUMNS


class Position(_Part):
    """Cells of the grid: column and row of the upper left one, and how many. `layout` in CXone's documents."""

    x: Annotated[int, Field(ge=0, lt=COLUMNS)]
    y: Annotated[int, Field(ge=0, le=LAST_ROW)]
    w: Annotated[int, Field(ge=1, le=COLUMNS)]
    h: Annotated[int, Field(ge=1, le=LAST_ROW)]


class DateRange(_Part):
    """From start to end: ISO 8601 with a time zone, or relative to now: -7d, -12h, now."""

    start: Name
    end: Name = "now"


class Metric(_Part):
    """A figure that CXone computes."""

    name: Name
    aggregation: Literal["COUNT", "SUM", "AVG", "MIN", "MAX"]
    attribute: Attribute


class Filter(_Part):
    """A condition that CXone applies: `in` a list of values, or `between` two."""

    condition: Literal["in", "between"]
    attribute: Attribute
    value: Annotated[list[Scalar], Field(min_length=1, max_length=500)]


class Query(_Part):
    """What a widget asks CXone. `skills` and `range` are short for filters, `range` for the dateRange, too."""

    skills: Annotated[list[Name], Field(min_length=1, max_length=500)] | None = None
    range: Annotated[str, Field(pattern=RELATIVE)] | None = None
    date_range: DateRange | None = None
    group_by: Annotated[list[Attribute], Field(max_length=MOST_GROUPS)] = Field(default_factory=list)
    metrics: Annotated[list[Annotated[Metric, BeforeValidator(_known_metric)]], Field(min_length=1, max_length=50)]
    filters: Annotated[list[Filter], Field(max_length=50)] = Field(default_factory=list)


class Visualization(_Part):
    """How a widget is drawn."""

    type: Literal["line", "table"]
    y_axis_label: Annotated[str, Field(max_length=200)] | None = None
    show_legend: bool | None = None


class Widget(_Part):
    """One widget. `key` tells it from the others, also when its title changes; without one the title does."""

    key: Name | None = None
    type: Literal["metric", "table"]
    title: Name
    query: Query
    position: Position
    refresh_interval: Seconds = 10
    visualization: Visualization | None = None


class Dashboard(_Part):
    """A dashboard's file."""

    id: Annotated[str, Field(pattern=ID)]
    name: Name
    description: Annotated[str, Field(max_length=2000)] | None = None
    refresh_interval: Seconds = 15
    layout: Layout = Field(default_factory=Layout)
    widgets: Annotated[list[Widget], Field(max_length=MOST_WIDGETS)] = Field(default_factory=list)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema for editors: docs/dashboard.schema.json."""
    schema = Dashboard.model_json_schema()
    metrics = schema["$defs"]["Query"]["properties"]["metrics"]
    metrics["items"] = {"anyOf": [metrics["items"], {"enum": list(METRICS)}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "made by `cxone-streams dashboards schema`",
        **schema,
    }
