"""Sheets that explore a blend: cells in rows and columns, each the same blend but for what its two axes change.

A sheet is shown as drafts; each cell is a whole blend, which makes its picture at full quality.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from plugin_client.drafts import draft_of
from plugin_client.weight_plane import Point, first_points, weights_at
from plugin_client.wire import codec
from plugin_client.wire.errors import BadArgument, BadValue, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Blend

CELLS = 5  # in a row, and in a column
GUIDANCES = (1.5, 3.0, 4.0, 6.0, 9.0)  # around the usual one
AXES = "seed, guidance, or weight-1, weight-2 ... of an item"  # that there are, in words

_WEIGHT = re.compile(r"weight-([1-9][0-9]?)")


def sheet_of(blend: Blend, across: str = "", down: str = "") -> tuple[tuple[Blend, ...], ...]:
    """Return the rows of a sheet, CELLS of them with CELLS blends each.

    Args:
        blend: with one picture; the sum of its weights, without negative ones, is that of each cell over the plane.
        across, down: what changes from column to column and from row to row: see AXES. Without both it is the weights:
            the columns and rows are places around the polygon of weight_plane.py, clamped to it; of two items, whose
            plane is a line, the rows are seeds.

    Raises:
        UsageError: an axis is unknown, one is missing, or a cell cannot be made; the text says which.
    """
    if bool(across) != bool(down):
        raise UsageError(N_("an axis is missing: give both across and down, or none for the weights"), "axis-missing")
    if across:
        return _checked([[_along(_along(blend, down, row), across, column) for column in _N] for row in _N])
    if len(blend.items) < 2:
        raise UsageError(N_("there is one item: weights are explored between two or more"), "axis-one-item")
    if len(blend.items) == 2:
        return _checked([[_along(_on_plane(blend, column, CELLS // 2), "seed", row) for column in _N] for row in _N])
    return _checked([[_on_plane(blend, column, row) for column in _N] for row in _N])


def drafts_of(rows: Sequence[Sequence[Blend]]) -> list[Blend]:
    """Return the drafts of a sheet's cells, row by row."""
    return [draft_of(cell) for row in rows for cell in row]


_N = range(CELLS)


def _on_plane(blend: Blend, column: int, row: int) -> Blend:
    total = sum(max(item.weight, 0.0) for item in blend.items) or 1.0
    points = first_points(len(blend.items))
    place = Point(_between([one.x for one in points], column), _between([one.y for one in points], row))
    weights = weights_at(place, points)
    items = (replace(item, weight=round(total * weight, 4)) for item, weight in zip(blend.items, weights, strict=True))
    return replace(blend, items=tuple(items))


def _between(ends: Sequence[float], n: int) -> float:
    """The n-th place from the least to the most of the numbers."""
    return min(ends) + (max(ends) - min(ends)) * n / (CELLS - 1)


def _along(blend: Blend, axis: str, n: int) -> Blend:
    """The blend at the n-th place of an axis."""
    if axis == "seed":
        return replace(blend, seed=blend.seed + n)
    if axis == "guidance":
        return replace(blend, guidance=GUIDANCES[n])
    number = int(found[1]) - 1 if (found := _WEIGHT.fullmatch(axis)) else -1
    if not 0 <= number < len(blend.items):
        raise UsageError(
            N_("{axis!r} is no axis of {items} items: choose from {choices}"),
            "axis-unknown",
            axis=axis,
            items=len(blend.items),
            choices=AXES,
        )
    items = list(blend.items)
    items[number] = replace(items[number], weight=n / (CELLS - 1))
    return replace(blend, items=tuple(items))


def _checked(rows: Sequence[Sequence[Blend]]) -> tuple[tuple[Blend, ...], ...]:
    try:
        for row in rows:
            for cell in row:
                codec.check_request(cell)
    except BadValue as exc:
        raise BadArgument.of(exc) from exc
    return tuple(tuple(row) for row in rows)
