"""
Draw the figures of `docs/explanation/speed.md` from saved measurements.

    python -m benchmarks speed --save speed.jsonl
    python -m benchmarks.plots speed.jsonl docs/explanation

Needs matplotlib, from the dependency group of the benchmarks. What goes into an SVG is the same for
the same measurements, so that a picture changes only when a figure does.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Result
from benchmarks.rivals.clients import BASELINE, OURS, OURS_HTTPX2

INK, QUIET, ACCENT = "#24292f", "#9aa4af", "#c2410c"
OUR_LINES = {OURS: "-", OURS_HTTPX2: "--"}
SETTINGS = {
    "svg.hashsalt": "talkjs-async",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


def read(path: Path) -> list[Result]:
    """Every saved measurement; rows of the table are left out."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if "section" in line]


def medians(lines: Sequence[Result], section: str, figure: str) -> dict[str, dict[int, float]]:
    """Contender to number of callers (0 where there are none) to the middle of its figures."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if line["section"] == section:
            values[line["contender"]][line.get("callers", 0)].append(line[figure])
    return {
        name: {callers: median(found) for callers, found in sorted(of_one.items())}
        for name, of_one in values.items()
    }


def calls(plt: Any, lines: Sequence[Result]) -> Any:
    """CPU time of a call against the number of callers."""
    figure, axes = plt.subplots(figsize=(8, 5.2), layout="constrained")
    ends = []
    for name, points in medians(lines, "calls", "cpu_us").items():
        ours = name in OUR_LINES
        color = ACCENT if ours else INK if name == BASELINE else QUIET
        axes.plot(
            list(points),
            list(points.values()),
            OUR_LINES.get(name, "-"),
            color=color,
            linewidth=2 if ours else 1.2,
            marker="o",
            markersize=4 if ours else 3,
            zorder=3 if ours else 2,
        )
        last = max(points)
        ends.append((points[last], last, name, color))
    axes.set(xscale="log", yscale="log", xlabel="callers at the same time")
    axes.set_xticks([1, 10, 100, 600], ["1", "10", "100", "600"])
    axes.set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1 000", "3 000", "10 000"])
    axes.minorticks_off()
    # Room for the labels of the cheapest.
    axes.set_ylim(bottom=0.5 * min((value for value, *_ in ends), default=200))
    axes.set_xlim(0.9, 900)
    axes.grid(axis="y", color=QUIET, alpha=0.3, linewidth=0.6)
    axes.set_title("CPU time of one small GET, in microseconds", loc="left", fontsize=11)
    for level, (value, last, name, color) in zip(_apart(ends), sorted(ends), strict=True):
        axes.annotate(
            name,
            xy=(last, value),
            xytext=(1000, level),
            color=ACCENT if color == ACCENT else INK,
            fontsize=9,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5, "alpha": 0.6},
        )
    return figure


def _apart(ends: Sequence[tuple[float, int, str, str]]) -> list[float]:
    """Heights for the labels of lines, lowest first, so that no label covers another."""
    gap = 0.085  # of a decade: one line of text
    levels: list[float] = []
    for value, *_ in sorted(ends):
        level = math.log10(value)
        levels.append(max(level, levels[-1] + gap) if levels else level - 2 * gap)
    return [10**level for level in levels]


def imports(plt: Any, lines: Sequence[Result]) -> Any:
    """CPU time of an import."""
    found = {name: points[0] for name, points in medians(lines, "imports", "cpu_ms").items()}
    ranked = sorted(found.items(), key=lambda item: -item[1])
    names = [name for name, _ in ranked]
    values = [value for _, value in ranked]
    colors = [ACCENT if "talkjs_async" in name else QUIET for name in names]
    figure, axes = plt.subplots(figsize=(8, 0.34 * len(names) + 0.8), layout="constrained")
    bars = axes.barh(names, values, color=colors, height=0.66)
    axes.bar_label(bars, [f"{value:.0f}" for value in values], padding=4, fontsize=9)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.set_title("CPU time of an import, in milliseconds", loc="left", fontsize=11)
    return figure


def main(argv: Sequence[str]) -> int:
    """Draw both figures, as PNG and SVG."""
    source, folder = Path(argv[0]), Path(argv[1])
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("agg")
    plt: Any = import_module("matplotlib.pyplot")
    lines = read(source)
    with plt.rc_context(SETTINGS):
        for name, draw in {"speed-calls": calls, "speed-imports": imports}.items():
            figure = draw(plt, lines)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
            plt.close(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
