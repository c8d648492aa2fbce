"""What the blend pad shows beside its points: lines between them, and the marks of results."""

from __future__ import annotations

from dataclasses import dataclass

from plugin_client.editor.translation import _
from plugin_client.wire.messages import Blend
from plugin_client.wire.titles import item_name


@dataclass(frozen=True)
class Mark:
    """Where a result was made: the names of its ingredients, their weights, and its seed."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    seed: int


def mark_of(blend: Blend) -> Mark:
    """The mark of a blend's result."""
    names = tuple(item_name(item, _) for item in blend.items)
    return Mark(names, tuple(item.weight for item in blend.items), blend.seed)


def line_between(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The pixels of a thin line, both ends included."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (round(start[0] + (end[0] - start[0]) * n / count), round(start[1] + (end[1] - start[1]) * n / count))
        for n in range(count + 1)
    ]
