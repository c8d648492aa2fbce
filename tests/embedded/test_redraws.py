"""The measures of redraws.py, on drawn pictures; test_scores.py takes them of the embedded model."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw

from tests.embedded.redraws import (
    Case,
    deep_seam,
    is_as_asked,
    is_removed,
    outside_is_kept,
    overlap,
    seam,
    shape_kept,
    some_cases,
)

CASE = some_cases(1)[0]
ASKED = Case(CASE.asked, CASE.shows, CASE.seed).source


def test_the_asked_shape_and_an_empty_ground_are_told_from_the_source() -> None:
    empty = CASE.source.copy()
    empty.paste(CASE.source.getpixel((0, 0)), (0, 0, *CASE.source.size))
    assert [is_as_asked(one, CASE) for one in (CASE.source, ASKED, empty)] == [False, True, False]
    assert [is_removed(one, CASE) for one in (CASE.source, ASKED, empty)] == [False, False, True]
    assert [shape_kept(one, CASE) for one in (CASE.source, ASKED)] == [True, False]


def test_a_pixel_outside_the_mask_is_found() -> None:
    picture = Image.composite(ASKED, CASE.source, CASE.mask)
    assert outside_is_kept(picture, CASE)
    picture.putpixel((0, 0), (1, 2, 3))
    assert not outside_is_kept(picture, CASE)


def test_a_shape_overlaps_with_itself_wholly_and_less_the_further_it_is_moved() -> None:
    overlaps = [overlap(ImageChops.offset(CASE.source, pixels, 0), CASE) for pixels in (0, 3, 9, 27)]
    assert overlaps[0] == 1
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[-1] < 0.6


def test_a_step_of_colours_is_measured() -> None:
    picture, mask = Image.new("RGB", (64, 64), (100, 100, 100)), Image.new("L", (64, 64))
    for image, fill in ((picture, (100, 130, 100)), (mask, 255)):
        ImageDraw.Draw(image).rectangle((20, 20, 43, 43), fill=fill)
    assert (seam(picture, mask), deep_seam(picture, mask)) == (30, 30)
