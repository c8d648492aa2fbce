"""The weights that a place among the ingredients gives, against what defines mean value coordinates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_client.weight_plane import Point, first_points, place_of, weights_at, with_moved

COUNTS = range(1, 9)


@pytest.mark.parametrize("count", COUNTS)
def test_at_a_point_it_alone_counts(count: int) -> None:
    points = first_points(count)
    for n, point in enumerate(points):
        assert weights_at(point, points) == pytest.approx([float(other == n) for other in range(count)])


@pytest.mark.parametrize("count", COUNTS)
def test_in_the_middle_all_count_alike(count: int) -> None:
    assert weights_at(Point(0.5, 0.5), first_points(count)) == pytest.approx([1 / count] * count)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_along_an_edge_the_weights_are_linear(count: int) -> None:
    points = first_points(count)
    place = points[0].times(0.75) + points[1].times(0.25)
    assert weights_at(place, points) == pytest.approx([0.75, 0.25, *[0.0] * (count - 2)])


def test_in_a_triangle_they_are_the_barycentric_ones() -> None:
    points = (Point(0, 0), Point(1, 0), Point(0, 1))
    assert weights_at(Point(0.2, 0.3), points) == pytest.approx([0.5, 0.2, 0.3])


def test_on_the_axis_of_a_square_they_are_what_symmetry_leaves() -> None:
    square = (Point(0, 0), Point(1, 0), Point(1, 1), Point(0, 1))
    assert weights_at(Point(0.5, 0.25), square) == pytest.approx([0.375, 0.375, 0.125, 0.125])


@given(st.floats(-1, 2), st.floats(-1, 2), st.integers(1, 8))
def test_everywhere_they_are_shares_and_inside_they_give_the_place_back(x: float, y: float, count: int) -> None:
    points, place = first_points(count), Point(x, y)
    weights = weights_at(place, points)
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0
    back = place_of(weights, points)
    again = weights_at(back, points)
    assert again == pytest.approx(weights, abs=1e-4)  # where it was outside, `back` is the nearest place


def test_outside_the_nearest_place_counts() -> None:
    points = first_points(2)
    assert weights_at(Point(-3, 9), points) == [1, 0]
    assert weights_at(Point(0.25, 9), points) == pytest.approx([0.75, 0.25])


def test_sliders_without_weight_put_the_puck_into_the_middle_and_negative_ones_count_as_none() -> None:
    points = first_points(3)
    assert place_of([0, 0, 0], points).y == pytest.approx(0.5)
    assert place_of([1, -1, 0], points) == points[0]


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_a_point_is_moved_alone_and_stays_on_the_pad(count: int) -> None:
    points = first_points(count)
    moved = with_moved(points, 0, points[0] + Point(0.05, -3.0))
    assert moved[0] == Point(points[0].x + 0.05, 0.0)
    assert moved[1:] == points[1:]


def test_a_point_that_would_make_a_dent_or_meet_another_stays() -> None:
    points = first_points(4)
    for place in (Point(0.5, 0.6), points[1], points[2] + Point(0.0, -0.05)):
        assert with_moved(points, 0, place) == points


def test_a_star_is_no_place_for_points() -> None:
    star = tuple(first_points(5)[n] for n in (0, 2, 4, 1, 3))
    assert with_moved(star, 0, star[0]) == star
    assert with_moved(star, 0, star[0] + Point(0.01, 0.01)) == star
