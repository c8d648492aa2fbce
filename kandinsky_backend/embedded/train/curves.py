"""The losses of every part as one picture."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

# part -> what of its log is drawn
SHOWN = {
    "movq": ("psnr",),
    "clip": ("contrast", "named", "coloured", "drawn"),
    "text": ("loss",),
    "prior": ("loss",),
    "unet": ("clear", "noisy"),
}


def plot(work: Path, out: Path) -> None:
    """Draw the logs that are in `work`; a part that was adopted has none."""
    logs = {part: log for part in SHOWN if (log := work / part / "log.csv").exists()}
    figure, axes = plt.subplots(1, len(logs), figsize=(4 * len(logs), 3.6), layout="constrained", squeeze=False)
    for axis, (part, log) in zip(axes[0], logs.items(), strict=True):
        _plot_part(axis, part, SHOWN[part], log)
    figure.savefig(out, dpi=80)


def _plot_part(axis: Axes, part: str, columns: tuple[str, ...], log: Path) -> None:
    with log.open() as file:
        rows = list(csv.DictReader(file))
    for column in columns:
        axis.plot([int(row["step"]) for row in rows], [float(row[column]) for row in rows], label=column)
    axis.set(title=part, xlabel="step", yscale="linear" if part == "movq" else "log")
    axis.legend()
    axis.grid(alpha=0.3)
