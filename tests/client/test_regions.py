"""The boxes and sizes of what is drawn into, without pictures."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_client.regions import MOST_GROWTH, OVERLAP, Growth, growth, growth_to_aspect, sendable, with_margin
from plugin_client.wire.errors import BadArgument, UsageError
from tests.refusals import refused


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ((1000, 10, 1400, 200), (800, 0, 1600, 300)),
        ((7, 7, 8, 8), (0, 0, 72, 72)),
        ((0, 0, 2000, 300), (0, 0, 2000, 300)),
    ],
)
def test_the_margin_grows_with_the_region_and_ends_with_the_picture(region: Any, box: Any) -> None:
    assert with_margin(region, (2000, 300)) == box


def test_a_box_that_no_frame_carries_is_refused() -> None:
    assert sendable((10, 10, 8202, 20), 3) == (10, 10, 8202, 20)
    with refused(UsageError, "too-large-region", width=8193, most_width=8192):
        sendable((0, 0, 8193, 10), 3)
    assert sendable((0, 0, 4096, 4096), 4)
    with refused(UsageError, "too-large-region"):
        sendable((0, 0, 4096, 4097), 4)


@pytest.mark.parametrize(
    ("size", "aspect", "growing"),
    [
        ((100, 100), 16 / 9, Growth(left=39, right=39)),
        ((101, 100), 2, Growth(left=49, right=50)),
        ((100, 100), 0.5, Growth(top=50, bottom=50)),
        ((200, 100), 2, Growth()),
    ],
)
def test_an_aspect_says_how_far_each_side_goes(size: tuple[int, int], aspect: float, growing: Growth) -> None:
    assert growth_to_aspect(size, aspect) == growing


def test_the_mask_of_a_grown_picture_fades_into_it_at_the_sides_that_grow() -> None:
    first, *others = Growth(left=100, bottom=50).fading((640, 400))
    assert first == ((0, 0, 740, 450), 255)
    assert len(others) == OVERLAP
    assert others[0] == ((101, 0, 740, 399), 239)
    assert others[-1] == ((100 + OVERLAP, 0, 740, 400 - OVERLAP), 0)


def test_a_picture_smaller_than_the_overlap_fades_to_its_middle() -> None:
    *_, last = Growth(left=9, right=9).fading((10, 10))
    assert last == ((13, 0, 15, 10), 191)


@pytest.mark.parametrize(
    ("sides", "kind", "code"),
    [
        ({}, UsageError, "no-growth"),
        ({"left": 0}, UsageError, "no-growth"),
        ({"left": -1}, BadArgument, "not-whole-in-range"),
        ({"top": 1.5}, BadArgument, "not-whole-in-range"),
        ({"right": MOST_GROWTH + 1}, BadArgument, "not-whole-in-range"),
    ],
)
def test_a_growth_that_cannot_be_is_refused(sides: dict[str, Any], kind: type[UsageError], code: str) -> None:
    with refused(kind, code):
        growth(**sides)
