"""The results as Markdown: the goals, the share of what the chip can do, time against pixels and against batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.benchmarks.peers.results import best, ratios_of
from tests.benchmarks.peers.stages import GOALS, OPENVINO, OPERATORS, OURS, PYTORCH, Goal

WHO = (OURS, PYTORCH, OPENVINO, OPERATORS)


def report(results: Mapping[str, Any]) -> str:
    """The whole text."""
    parts = [_machine(results), _goals(results), _bounds(results), _scaling(results, "px"), _scaling(results, "batch")]
    return "\n\n".join(filter(None, parts)) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; empty without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cores_of(machine: Mapping[str, Any]) -> str:
    """How many cores computed."""
    return "1 core" if machine["threads"] == 1 else f"{machine['threads']} cores"


def _machine(results: Mapping[str, Any]) -> str:
    machine, loads = results["machine"], results["loads"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    clock = "; seconds of the processor, not of the wall" if results.get("clock") == "processor" else ""
    load = f"; load before each process {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    return (
        f"{machine['processor']}, {cores_of(machine)}, {', '.join(machine['flags'])}, "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB. Measured at most: {machine['flops'] / 1e9:.0f} GFLOP/s "
        f"in a float32 product, {machine['bandwidth'] / 1e9:.0f} GB/s. {versions}{load}{clock}."
    )


def _goals(results: Mapping[str, Any]) -> str:
    rows = [row for goal in GOALS if (row := _goal_row(results, goal))]
    return table(["", *WHO, "ratios", "goals", ""], rows)


def _goal_row(results: Mapping[str, Any], goal: Goal) -> list[str]:
    cells = [_cell(results, goal, who) for who in WHO]
    if not any(cells):
        return []
    ratios = ratios_of(results, goal)
    met = "" if not ratios else "met" if all(ratio <= most for ratio, most in ratios.values()) else "missed"
    return [
        goal.title,
        *cells,
        ", ".join(f"{ratio:.2f}" for ratio, _ in ratios.values()),
        ", ".join(f"{most:g}" for _, most in ratios.values()),
        met,
    ]


def _cell(results: Mapping[str, Any], goal: Goal, who: str) -> str:
    found = best(results["rows"], goal, who)
    if found is None:
        return ""
    number, contender = found
    shown = f"{number / 1e9:.1f} GB" if goal.unit == "GB" else f"{number:.3g} s"
    return f"{shown} ({contender.precision})"


def _bounds(results: Mapping[str, Any]) -> str:
    """The time that the chip needs at least for each row, and the share that ours reaches."""
    rows = []
    measured, mine = results["rows"], f"{OURS} float32"
    for row in measured:
        flop, size = (measured.get(f"{unit} {row}", {}).get(mine) for unit in ("flop", "bytes"))
        if flop and size and measured[row].get(mine):
            rows.append(_bound_row(row, flop[0], size[0], results["machine"], min(measured[row][mine])))
    return table(["", "TFLOP", "GB moved", "product's bound", "memory's bound", "ours", "GFLOP/s", "share"], rows)


def _bound_row(row: str, flop: float, size: float, machine: Mapping[str, float], took: float) -> list[str]:
    product, memory = flop / machine["flops"], size / machine["bandwidth"]
    return [
        row,
        f"{flop / 1e12:.2f}",
        f"{size / 1e9:.1f}",
        f"{product:.2f} s",
        f"{memory:.2f} s",
        f"{took:.2f} s",
        f"{flop / took / 1e9:.0f}",
        f"{max(product, memory) / took:.0%}",
    ]


def _scaling(results: Mapping[str, Any], by: str) -> str:
    """Seconds a picture and step by size, or by batch at 512 px."""
    points = sorted(dict.fromkeys(_points(results["rows"], by)))
    if len(points) < 2:
        return ""
    rows = []
    for point, row, pictures in points:
        cells = results["rows"][row]
        rows.append([str(point), *(_per_picture(cells.get(f"{who} float32"), pictures) for who in WHO[:3])])
    return table(["px" if by == "px" else "pictures at a time, 512 px; s a picture", *WHO[:3]], rows)


def _points(rows: Mapping[str, Any], by: str) -> Iterator[tuple[int, str, int]]:
    for row in rows:
        kind, _, shape = row.partition("-")
        if kind == "step":
            size, batch = map(int, shape.split("x"))
            if by == "px" and batch == 1:
                yield size, row, 1
            if by == "batch" and size == 512:
                yield batch, row, batch


def _per_picture(times: Sequence[float] | None, pictures: int) -> str:
    return f"{min(times) / pictures:.2f}" if times else ""
