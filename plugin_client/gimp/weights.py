"""Weights for a person: how much each of several counts."""

from __future__ import annotations

from collections.abc import Sequence


def shares(weights: Sequence[float]) -> list[float]:
    """Of each weight, its part of all of them in percent; a weight that leads away has a negative one."""
    total = sum(map(abs, weights))
    return [100 * weight / total if total else 0.0 for weight in weights]


def onto_last(weights: Sequence[float]) -> list[float]:
    """As much weight as these have together, all of it on the last."""
    return [0.0] * (len(weights) - 1) + [round(sum(weights), 2)] * bool(weights)


def even(count: int) -> float:
    """The weight with which `count` ingredients begin: together they are 1."""
    return round(1 / count, 2)
