"""Draw the results: how long each peer takes in units of ours, and time against pixels and against batch.

    python plot.py RESULTS.json PLOT.png

Runs in the environment of the peers, which has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"ours": "#1b6ca8", "PyTorch": "#e07a3f", "OpenVINO": "#7a9e5f"}
BARS = {
    "step-512x1": "step\n512 px",
    "step-768x1": "step\n768 px",
    "decode-512": "decode\n512 px",
    "decode-768": "decode\n768 px",
    "interpolate": "interpolate",
    "load": "load",
}


def best(cells: dict[str, list[float]], who: str) -> tuple[float, str] | None:
    """The least time, and the precision in which it was reached."""
    times = [(min(values), name.split()[-1]) for name, values in cells.items() if name.startswith(who) and values]
    return min(times) if times else None


def draw_bars(axes: Any, rows: dict[str, Any]) -> None:
    """Seconds of each contender, each stage in units of PyTorch's best."""
    shown = [row for row in BARS if row in rows and best(rows[row], "ours") and best(rows[row], "PyTorch")]
    measured: set[str] = set()
    for index, row in enumerate(shown):
        unit, _ = best(rows[row], "PyTorch")
        found = {who: time for who in COLOURS if (time := best(rows[row], who))}
        measured |= set(found)
        for place, (who, (time, precision)) in enumerate(found.items()):
            bar = axes.bar(index + 0.27 * (place - (len(found) - 1) / 2), time / unit, 0.25, color=COLOURS[who])
            axes.bar_label(bar, [f"{time:.3g} s\n{precision}"], fontsize=7, padding=1)
    axes.set_xticks(range(len(shown)), [BARS[row] for row in shown], fontsize=8)
    axes.set_xlim(-0.7, len(shown) - 0.3)
    axes.set_ylabel("time, diffusers on PyTorch = 1")
    axes.set_ylim(0, 1.35)  # the legend stands above the bars
    legend = [who for who in COLOURS if who in measured]
    axes.legend(
        [plt.Rectangle((0, 0), 1, 1, color=COLOURS[who]) for who in legend],
        legend,
        fontsize=8,
        ncols=3,
        loc="upper center",
    )


def points_of(rows: dict[str, Any], by: str) -> dict[str, dict[int, float]]:
    """Seconds a guided step and picture of each contender, by pixels (batch 1) or by batch (512 px)."""
    points: dict[str, dict[int, float]] = {who: {} for who in COLOURS}
    for row, cells in rows.items():
        kind, _, shape = row.partition("-")
        if kind != "step":
            continue
        size, batch = map(int, shape.split("x"))
        if (batch if by == "pixels" else size) != (1 if by == "pixels" else 512):
            continue
        for who in COLOURS:
            if values := cells.get(f"{who} float32"):
                points[who][size if by == "pixels" else batch] = min(values) / batch
    return points


def draw_lines(axes: Any, points: dict[str, dict[int, float]], by: str) -> None:
    """One line for each contender."""
    for who, found in points.items():
        places = sorted(found)
        axes.plot(places, [found[place] for place in places], "o-", color=COLOURS[who], label=who, markersize=4)
    axes.set_xlabel("px of both sides" if by == "pixels" else "pictures at a time, 512 px")
    axes.set_ylabel("s a guided step and picture, float32")
    if by == "pixels":
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    places = sorted({place for found in points.values() for place in found})
    axes.set_xticks(places, places)
    axes.minorticks_off()


def main() -> None:
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    lines = {by: points_of(results["rows"], by) for by in ("pixels", "batch")}
    lines = {by: points for by, points in lines.items() if max(map(len, points.values())) > 1}
    figure, axes = plt.subplots(
        1,
        1 + len(lines),
        figsize=(9 + 3.5 * len(lines), 4.5),
        layout="constrained",
        squeeze=False,
        width_ratios=[3] + [1] * len(lines),
    )
    draw_bars(axes[0, 0], results["rows"])
    for place, (by, points) in zip(axes[0, 1:], lines.items(), strict=True):
        draw_lines(place, points, by)
    machine = results["machine"]
    clock = ", seconds of the processor" if results.get("clock") == "processor" else ""
    title = f"{machine['processor']}, cores: {machine['threads']}{clock}\n{' '.join(machine['flags'])}"
    figure.suptitle(title, fontsize=10)
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
