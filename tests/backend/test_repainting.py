"""Masks and edges between pixels and cells."""

from __future__ import annotations

import numpy as np
import pytest

from kandinsky_backend.repainting import covered_cells, cut, feathered, filled, grown, padded, settled


def set_pixels(shape: tuple[int, int], *pixels: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


@pytest.mark.parametrize("pixel", [(0, 0), (7, 15), (9, 8), (15, 23)])
def test_any_pixel_of_a_cell_covers_it_and_no_other(pixel: tuple[int, int]) -> None:
    cells = covered_cells(set_pixels((16, 24), pixel), 16, 24, 8, (2, 3))
    assert np.argwhere(cells).tolist() == [[pixel[0] // 8, pixel[1] // 8]]


def test_a_pixel_of_a_large_picture_is_not_lost_and_one_of_a_small_covers_all_its_cells() -> None:
    assert covered_cells(set_pixels((1000, 1000), (499, 500)), 16, 16, 8, (2, 2)).tolist() == [[0, 1], [0, 0]]
    assert covered_cells(set_pixels((2, 2), (0, 1)), 32, 32, 8, (4, 4)).sum() == 4


def test_beyond_the_picture_its_edges_go_on() -> None:
    # 8 px of picture between 4 px of padding: the cells are half padding.
    assert covered_cells(set_pixels((8, 8), (0, 0)), 8, 8, 8, (2, 2)).tolist() == [[True, False], [False, False]]
    assert covered_cells(set_pixels((8, 8), (7, 7)), 8, 8, 8, (4, 4))[2:, 2:].all()


def test_growth_is_symmetric_and_stays_within_the_picture() -> None:
    assert grown(set_pixels((5, 5), (2, 2))).sum() == 9
    assert np.argwhere(grown(set_pixels((3, 3), (0, 0)))).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_padding_repeats_edges_and_is_undone() -> None:
    pixels = np.arange(2 * 3 * 5 * 7, dtype=np.float32).reshape(2, 3, 5, 7)
    large = padded(pixels, 4)
    assert large.shape == (2, 3, 8, 8)
    assert (large[:, :, 0, 0] == pixels[:, :, 0, 0]).all()
    assert (large[:, :, -1, -1] == pixels[:, :, -1, -1]).all()
    assert np.array_equal(cut(large, 5, 7), pixels)


def test_a_feather_rises_inwards_from_the_edge() -> None:
    mask = np.zeros((9, 20), np.float32)
    mask[:, 5:] = 1
    assert feathered(mask, 3)[4, 3:10].tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_narrow_stroke_keeps_its_strength_in_its_middle(width: int) -> None:
    mask = np.zeros((30, 30), np.float32)
    mask[10 : 10 + width] = 1
    mask[20:24, 3] = 0.5
    soft = feathered(mask, 4)
    assert (soft[10 : 10 + width, 15].max(), soft[20:24, 3].max()) == (1, 0.5)
    assert (soft <= mask).all()
    assert not soft[mask == 0].any()


def test_a_hole_is_filled_smoothly_from_around_it() -> None:
    ramp = np.linspace(0, 100, 33, dtype=np.float32)[None, :, None].repeat(21, axis=0)
    known = np.ones(ramp.shape[:2], bool)
    known[6:15, 10:20] = False
    full = filled(np.where(known[..., None], ramp, 255), known)
    assert np.array_equal(full[known], ramp[known])
    assert np.abs(full - ramp).max() < 12
    assert np.abs(np.diff(full[..., 0], axis=1)).max() < 12


def test_a_drift_of_colours_is_taken_back_and_another_thing_is_left() -> None:
    old = np.full((16, 16, 3), 100, np.float32)
    kept = np.ones((16, 16), bool)
    kept[4:12, 4:12] = False
    new = old + 9
    new[6:10, 6:10] += 60  # what was drawn
    new[:, 14:] += 80  # drawn outside the mask, and not to be followed
    found = settled(new, old, kept, 32)
    assert np.allclose(found[5, 4:12], 100)
    assert np.allclose(found[6:10, 6:10], 160)
    assert np.array_equal(settled(new + 99, old, kept, 32), new + 99)
