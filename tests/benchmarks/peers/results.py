"""Measurements in one JSON file: pieces of a run add to it, and the table and the plot are made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.stages import GOALS, PRECISIONS, Contender, Goal

Rows = Mapping[str, Mapping[str, list[float]]]  # row -> contender -> seconds or bytes of each repetition


def read(path: Path) -> dict[str, Any]:
    """What was measured so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": {}, "loads": []}


def write(path: Path, results: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def add(results: dict[str, Any], contender: Contender, rows: Mapping[str, list[float]]) -> None:
    """Append what a process measured."""
    for row, values in rows.items():
        results["rows"].setdefault(row, {}).setdefault(str(contender), []).extend(values)


def parse_output(output: str) -> dict[str, list[float]]:
    """The rows that a measuring process printed as its last line.

    Raises:
        ValueError: the last line is no JSON object of lists.
    """
    lines = output.strip().splitlines()
    rows = json.loads(lines[-1]) if lines else None
    if not isinstance(rows, dict) or not all(isinstance(values, list) for values in rows.values()):
        raise ValueError(f"a measuring process printed no rows: {output[-200:]!r}")
    return rows


def value(rows: Rows, goal: Goal, contender: Contender) -> float | None:
    """The goal's sum of least values; None where a part was not measured."""
    total = 0.0
    for row, count in goal.parts.items():
        values = rows.get(row, {}).get(str(contender))
        if not values:
            return None
        total += count * min(values)
    return total


def best(rows: Rows, goal: Goal, who: str) -> tuple[float, Contender] | None:
    """The lesser value of a contender's precisions."""
    found = []
    for precision in PRECISIONS:
        contender = Contender(who, precision)
        seconds = value(rows, goal, contender)
        if seconds is not None:
            found.append((seconds, contender))
    return min(found, key=lambda pair: pair[0]) if found else None


def goals_met(results: Mapping[str, Any]) -> dict[str, bool]:
    """For each goal that was measured whole: whether it is met."""
    met = {}
    for goal in GOALS:
        ratios = ratios_of(results, goal)
        if ratios:
            met[goal.title] = all(ratio <= most for ratio, most in ratios.values())
    return met


def ratios_of(results: Mapping[str, Any], goal: Goal) -> dict[str, tuple[float, float]]:
    """By peer: our time of the peer's best, and the most that it may be."""
    rows = results["rows"]
    mine = best(rows, goal, "ours")
    limits = goal.with_bfloat16 if goal.with_bfloat16 and results["machine"]["bfloat16"] else goal.most
    ratios = {}
    for who, most in limits.items():
        theirs = best(rows, goal, who)
        if mine and theirs:
            ratios[who] = (mine[0] / theirs[0], most)
    return ratios
