"""The plane of a blend's weights: ingredients are points on a plane, and the place of a puck gives their weights.

The weights are mean value coordinates: K. Hormann and M. S. Floater, "Mean value coordinates for arbitrary planar
polygons", ACM Transactions on Graphics 25(4), 2006. They are 1 at a point of the polygon for that point alone, linear
along its edges, smooth inside, and the points weighted with them give the place back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NEAR = 1e-9  # of a distance: nearer counts as the same place
LEAST_EDGE = 0.1  # of the pad, between two neighbouring points
LEAST_TURN = math.radians(3)  # at a point: with less the polygon is nearly a line there


@dataclass(frozen=True)
class Point:
    """A place on the pad, from (0, 0) in the upper left corner to (1, 1)."""

    x: float
    y: float

    def __add__(self, other: Point) -> Point:
        return Point(self.x + other.x, self.y + other.y)

    def __sub__(self, other: Point) -> Point:
        return Point(self.x - other.x, self.y - other.y)

    def times(self, factor: float) -> Point:
        return Point(self.x * factor, self.y * factor)

    @property
    def length(self) -> float:
        return math.hypot(self.x, self.y)


CENTRE = Point(0.5, 0.5)


def first_points(count: int) -> tuple[Point, ...]:
    """The places of so many ingredients: the middle, the ends of a line, or the corners of a regular polygon."""
    if count == 1:
        return (CENTRE,)
    if count == 2:
        return Point(0.0, 0.5), Point(1.0, 0.5)
    angles = [2 * math.pi * n / count for n in range(count)]
    return tuple(Point(0.5 + 0.5 * math.sin(angle), 0.5 - 0.5 * math.cos(angle)) for angle in angles)


def weights_at(place: Point, points: Sequence[Point]) -> list[float]:
    """The weights of the points at a place, none below 0 and together 1; outside, those of the nearest place.

    Args:
        place: of the puck.
        points: the corners of a convex polygon in the order of their edges, at least one; two are a line.
    """
    if len(points) == 1:
        return [1.0]
    if len(points) == 2 or not _is_inside(place, points):
        return _on_the_edge(place, points)
    for n, point in enumerate(points):
        if (place - point).length < NEAR:
            return _alone(n, len(points))
    return _inside(place, points)


def place_of(weights: Sequence[float], points: Sequence[Point]) -> Point:
    """The place of the puck for weights, of which negative ones count as 0: the points' mean with them.

    It is where weights_at gives these weights, if it gives them anywhere.
    """
    kept = [max(0.0, weight) for weight in weights]
    total = sum(kept)
    if not total:
        return Point(sum(point.x for point in points) / len(points), sum(point.y for point in points) / len(points))
    return Point(
        sum(weight * point.x for weight, point in zip(kept, points, strict=True)) / total,
        sum(weight * point.y for weight, point in zip(kept, points, strict=True)) / total,
    )


def with_moved(points: Sequence[Point], n: int, place: Point) -> tuple[Point, ...]:
    """The points with point n at a place on the pad, or as they are where that would leave no convex polygon."""
    on_the_pad = Point(min(max(place.x, 0.0), 1.0), min(max(place.y, 0.0), 1.0))
    moved = (*points[:n], on_the_pad, *points[n + 1 :])
    return moved if _is_convex(moved) else tuple(points)


def _inside(place: Point, points: Sequence[Point]) -> list[float]:
    """The mean value coordinates w_i = (tan(a_(i-1) / 2) + tan(a_i / 2)) / r_i, with the angles a_i seen from there."""
    rays = [point - place for point in points]
    halves = [_half_tangent(ray, after) for ray, after in zip(rays, (*rays[1:], rays[0]), strict=True)]
    if any(math.isinf(half) for half in halves):  # on an edge: the angle over it is half a turn
        return _on_the_edge(place, points)
    raw = [(halves[n - 1] + halves[n]) / ray.length for n, ray in enumerate(rays)]
    return [weight / sum(raw) for weight in raw]


def _half_tangent(one: Point, other: Point) -> float:
    """tan(a / 2) of the angle a between two rays: (|u| |v| - u v) / (u x v)."""
    across = abs(one.x * other.y - one.y * other.x)
    lengths = one.length * other.length
    if across < NEAR * lengths:
        return math.inf if one.x * other.x + one.y * other.y < 0 else 0.0
    return (lengths - (one.x * other.x + one.y * other.y)) / across


def _on_the_edge(place: Point, points: Sequence[Point]) -> list[float]:
    """The weights at the place of an edge that is nearest."""
    edges = [(n, (n + 1) % len(points)) for n in range(len(points) if len(points) > 2 else 1)]
    start, end, share, _ = min((_nearest(place, points, edge) for edge in edges), key=lambda found: found[3])
    weights = [0.0] * len(points)
    weights[start], weights[end] = 1 - share, share
    return weights


def _nearest(place: Point, points: Sequence[Point], edge: tuple[int, int]) -> tuple[int, int, float, float]:
    """The ends of an edge, how far along it the nearest place lies (from 0 to 1), and the distance to that."""
    start, end = points[edge[0]], points[edge[1]]
    along, away = end - start, place - start
    squared = along.length**2
    share = min(max((along.x * away.x + along.y * away.y) / squared, 0.0), 1.0) if squared > NEAR else 0.0
    return (*edge, share, (away - along.times(share)).length)


def _is_convex(points: Sequence[Point]) -> bool:
    """Whether no two points are too near to be told apart, and more than two turn in one direction, once around."""
    edges = [after - point for point, after in zip(points, (*points[1:], points[0]), strict=True)]
    if any(edge.length < LEAST_EDGE for edge in edges):
        return False
    if len(points) < 3:
        return True
    turns = [_turn(edge, after) for edge, after in zip(edges, (*edges[1:], edges[0]), strict=True)]
    if not (min(turns) > LEAST_TURN or max(turns) < -LEAST_TURN):
        return False
    return math.isclose(abs(sum(turns)), 2 * math.pi)  # a star turns more than once


def _turn(edge: Point, after: Point) -> float:
    """The angle in radians from one edge to the next, from -pi to pi."""
    return math.atan2(edge.x * after.y - edge.y * after.x, edge.x * after.x + edge.y * after.y)


def _is_inside(place: Point, points: Sequence[Point]) -> bool:
    """Whether all edges of the convex polygon turn around the place in the same direction."""
    turns = [
        (after.x - point.x) * (place.y - point.y) - (after.y - point.y) * (place.x - point.x)
        for point, after in zip(points, (*points[1:], points[0]), strict=True)
    ]
    return all(turn >= -NEAR for turn in turns) or all(turn <= NEAR for turn in turns)


def _alone(n: int, count: int) -> list[float]:
    return [float(other == n) for other in range(count)]
