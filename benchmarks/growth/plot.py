"""Draws the figures of growth: `python -m benchmarks.growth.plot FIGURES.json PLOT.svg`.

One row for each figure, one column for what is varied; both scales are logarithmic, and a row shares its own. The SVG
has no background, and colours that can be read in light and dark.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from math import ceil, log10
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.growth.points import AXES

WIDTH, HEIGHT, GAP = 190, 84, 16  # of a panel, in pixels
LEFT, TOP, BETWEEN, BOTTOM = 52, 42, 44, 34
INSET = 14  # of the first and last value, from the ends of a panel
FEW = 6  # lines of a panel
STYLE = """\
text{font:11px system-ui,sans-serif;fill:#6e7781}.t{font-weight:600}path{fill:none;stroke-width:1.8}
.f{stroke:#8b949e;stroke-width:1;opacity:.4}.a{stroke:#2f81f7}.b{stroke:#d4752c}.ka{fill:#2f81f7}.kb{fill:#d4752c}
@media (prefers-color-scheme:light){text{fill:#57606a}.t{fill:#24292f}}
@media (prefers-color-scheme:dark){text{fill:#9198a1}.t{fill:#e6edf3}}"""

Measured = Mapping[str, Any]  # one point of the figures
Of = Callable[[Measured], float | None]


def _rocksdb(name: str) -> Of:
    return lambda point: point["rocksdb"] and point["rocksdb"][name]


ROWS: Sequence[tuple[str, Mapping[str, Of]]] = (
    ("CPU of an event, µs", {"": lambda point: point["us_an_event"]}),
    ("memory, MB", {"peak": lambda point: point["peak_mb"], "at rest": lambda point: point["memory"]["mb"]}),
    (
        "longest block of the event loop, ms",
        {
            "at work": lambda point: point["blocked"]["worst"],
            "loading": lambda point: point["memory"]["blocked"]["worst"],
        },
    ),
    ("changelog, bytes an event", {"": lambda point: point["changelog_bytes"]}),
    ("recovery, s", {"changelog": lambda point: point["memory"]["seconds"], "RocksDB": _rocksdb("seconds")}),
    (
        "recovery, µs of CPU a window",
        {"changelog": lambda point: point["memory"]["us_a_window"], "RocksDB": _rocksdb("us_a_window")},
    ),
)


def svg(growth: Mapping[str, Any]) -> str:
    """Return the plot of what `benchmarks.growth.report.as_json` made. Points without a figure are left out."""
    points = [point for point in growth["points"] if "why" not in point]
    base = growth["points"][0]["point"]
    width = LEFT + len(AXES) * (WIDTH + GAP)
    height = TOP + len(ROWS) * (HEIGHT + BETWEEN) - BETWEEN + BOTTOM
    around = ", ".join(f"{base[axis]:,} {axis}" for axis in AXES)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style><title>What percentiles costs, and how that grows</title>",
        _text(0, 12, f"One thing at a time around {around}; both scales logarithmic. {growth['machine'][:10]}"),
    ]
    for row, (title, series) in enumerate(ROWS):
        top = TOP + row * (HEIGHT + BETWEEN)
        drawn.append(_text(0, top - 10, title, "t"))
        x = 14 + 7.0 * len(title)
        for name, kind in zip(series, "ab", strict=False):
            if name:
                drawn.append(_text(x, top - 10, f"— {name}", f"k{kind}"))
                x += 28 + 6.4 * len(name)
        found = [value for of in series.values() for point in points if (value := of(point)) is not None]
        scale = _Scale(found, top + HEIGHT, top, rounded=True)
        for column, axis in enumerate(AXES):
            others = [other for other in AXES if other != axis]
            on_it = [point for point in points if all(point["point"][other] == base[other] for other in others)]
            on_it.sort(key=lambda point: int(point["point"][axis]))
            drawn += _panel(
                LEFT + column * (WIDTH + GAP),
                top,
                axis,
                points=on_it,
                series=series,
                y=scale,
                last=row == len(ROWS) - 1,
            )
    return "\n".join([*drawn, "</svg>", ""])


class _Scale:
    """From positive values to pixels, by their logarithms; `low` and `high` are the pixels of the ends."""

    def __init__(self, values: Sequence[float], low: float, high: float, *, rounded: bool) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self.ticks = _around(min(positive), max(positive))
        first, last = (self.ticks[0], self.ticks[-1]) if rounded else (min(positive), max(positive))
        self._first, self._decades = first, log10(last / first) or 1.0
        self._low, self._high = low, high

    def at(self, value: float) -> float:
        return self._low + log10(max(value / self._first, 1.0)) / self._decades * (self._high - self._low)


def _around(smallest: float, largest: float) -> list[float]:
    """Return round numbers (1, 2, 5 and their tens) from below `smallest` to above `largest`: five or so."""
    round_ = [digit * 10.0**power for power in range(-6, 12) for digit in (1, 2, 5)]
    first = max(number for number in round_ if number <= smallest)
    last = min(number for number in round_ if number >= largest and number > first)
    found = [number for number in round_ if first <= number <= last]
    return sorted({*found[:: ceil(len(found) / FEW)], last})


def _panel(  # noqa: PLR0913 - of one panel
    left: float, top: float, axis: str, *, points: Sequence[Measured], series: Mapping[str, Of], y: _Scale, last: bool
) -> list[str]:
    values = [float(point["point"][axis]) for point in points] or [1.0]
    x = _Scale(values, left + INSET, left + WIDTH - INSET, rounded=False)
    lines = "".join(f"M{left},{y.at(tick):.0f}h{WIDTH}" for tick in y.ticks)
    drawn = [f'<path class="f" d="{lines}M{left},{top}v{HEIGHT}"/>']
    if left == LEFT:
        drawn += [_text(left - 5, y.at(tick) + 4, _short(tick), anchor="end") for tick in y.ticks]
    drawn += [_text(x.at(value), top + HEIGHT + 13, _short(value), anchor="middle") for value in values]
    if last:
        drawn.append(_text(left + WIDTH / 2, top + HEIGHT + 27, axis, "t", anchor="middle"))
    for kind, of in zip("ab", series.values(), strict=False):
        places = [
            (x.at(float(point["point"][axis])), y.at(value)) for point in points if (value := of(point)) is not None
        ]
        if places:
            line = "L".join(f"{right:.0f},{down:.1f}" for right, down in places)
            drawn.append(f'<path class="{kind}" d="M{line}"/>')
            drawn += [f'<circle class="k{kind}" cx="{right:.0f}" cy="{down:.1f}" r="2.6"/>' for right, down in places]
    return drawn


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "") -> str:
    attributes = f' class="{kind}"' if kind else ""
    if anchor:
        attributes += f' text-anchor="{anchor}"'
    return f'<text x="{x:.0f}" y="{y:.0f}"{attributes}>{escape(text)}</text>'


def _short(value: float) -> str:
    """Return a number as people write it on an axis: 0.1, 200, 20k, 10M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def main() -> None:
    figures, plot = map(Path, sys.argv[1:])
    plot.write_text(svg(json.loads(figures.read_text())["growth"]))


if __name__ == "__main__":
    main()
