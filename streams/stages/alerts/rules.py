"""What is an alert: a YAML file -> checked rules."""

from dataclasses import dataclass
from hashlib import blake2b
from math import isfinite
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

MOST_RULES = 100
CRITICAL_FACTOR, CLEAR_FACTOR = 1.5, 0.9  # of the threshold, where a rule names nothing

METRICS = ("avg_handle_time", "avg_wait_time", "events", "interactions", "active_agents")
TOTAL, EACH = "total", "each"  # what a rule looks at: all queues together, or every queue by itself

Minutes = Annotated[int, Field(ge=1, le=10_080)]  # a week


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Thresholds are in the metric's unit (seconds of averages), all times in minutes of event time.

    A minute is above when its value exceeds `threshold`, and critical when it exceeds `critical_at`: exactly that much
    is not. `for_` minutes above in a row open an alert. `clear_for` minutes below `clear_below`, or of 0, clear it;
    minutes in between start that count anew. Minutes without data, or with fewer than `min_interactions`, are no
    evidence: they end a row of minutes above and change nothing else.

    `queues` is TOTAL, EACH or a set of queues. An open alert is told again after `repeat_every`. `no_data` opens an
    alert when so many minutes in a row have no event at all. None: never.
    """

    name: str
    metric: str
    threshold: float
    critical_at: float
    for_: int
    clear_below: float
    clear_for: int
    min_interactions: int
    repeat_every: int | None
    no_data: int | None
    queues: str | frozenset[str]

    def watches(self, queue: str) -> bool:
        """Whether the rule looks at a queue; "" stands for all of them together."""
        if self.queues == TOTAL:
            return not queue
        return bool(queue) and (self.queues == EACH or queue in self.queues)

    @property
    def digest(self) -> str:
        """Tells whether a rule is still the same: what was found by another is no longer what it says."""
        queues = self.queues if isinstance(self.queues, str) else sorted(self.queues)
        said = [getattr(self, name) for name in self.__slots__ if name != "queues"]
        return blake2b(repr([*said, queues]).encode(), digest_size=8).hexdigest()


class RulesError(ValueError):
    """A file of rules that is wrong: one line per mistake, saying where and what."""


def _number(value: object) -> object:
    """Let only numbers be numbers: YAML's `no` is a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("must be a finite number")
    return value


Number = Annotated[float, BeforeValidator(_number), Field(ge=0)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    metric: Literal["avg_handle_time", "avg_wait_time", "events", "interactions", "active_agents"]
    threshold: Number
    critical_at: Number | None = None
    for_: Minutes = Field(1, alias="for")
    clear_below: Number | None = None
    clear_for: Minutes = 2
    min_interactions: Annotated[int, Field(ge=1)] = 1
    repeat_every: Minutes | None = None
    no_data: Minutes | None = None
    queues: Literal["total", "each"] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = (
        "total"
    )

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.critical_at is not None and self.critical_at < self.threshold:
            raise ValueError("critical_at must not be below threshold")
        if self.clear_below is not None and self.clear_below > self.threshold:
            raise ValueError("clear_below must not be above threshold")
        return self

    def rule(self) -> Rule:
        critical = CRITICAL_FACTOR * self.threshold if self.critical_at is None else self.critical_at
        clear = CLEAR_FACTOR * self.threshold if self.clear_below is None else self.clear_below
        return Rule(
            name=self.name,
            metric=self.metric,
            threshold=self.threshold,
            critical_at=critical,
            for_=self.for_,
            clear_below=clear,
            clear_for=self.clear_for,
            min_interactions=self.min_interactions,
            repeat_every=self.repeat_every,
            no_data=self.no_data,
            queues=self.queues if isinstance(self.queues, str) else frozenset(self.queues),
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    rules: Annotated[list[_Rule], Field(max_length=MOST_RULES)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the name {min(twice)} is there twice")
        return self


def parse(text: str) -> tuple[Rule, ...]:
    """Read the text of a file of rules. Raises RulesError with one line per mistake."""
    try:
        return tuple(rule.rule() for rule in _File.model_validate(yaml.safe_load(text)).rules)
    except ValidationError as refused:
        lines = [_explain(detail) for detail in refused.errors(include_url=False, include_context=False)]
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, ValueError) as broken:
        # PyYAML raises what it likes over a date that does not exist, or a tag that does not fit.
        raise RulesError(f"is not YAML: {' '.join(str(broken).split())[:300]}") from None
    raise RulesError("\n".join(lines))


def _explain(detail: ErrorDetails) -> str:
    where = ".".join(str(key) for key in detail["loc"] if not str(key).startswith(("literal[", "list[")))
    known = ", ".join(field.alias or name for name, field in _Rule.model_fields.items())
    if detail["type"] == "extra_forbidden":
        return f"{where}: is not a key. Expected one of: {known}."
    return f"{where or 'the file'}: {detail['msg'].removeprefix('Value error, ')}."
