"""Where a dialog opens: clear of the picture at first, later where it was, and always on the screen as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_client.editor.geometry import Area
from plugin_client.editor.panel_place import FILE, first_place, remember_place, remembered_place

SMALL, LARGE = Area(0, 0, 1280, 720), Area(1920, 40, 2560, 1400)


@pytest.mark.parametrize("screen", [SMALL, LARGE, Area(0, 0, 800, 480)])
def test_at_first_it_is_on_the_screen_and_clear_of_its_middle(screen: Area) -> None:
    place = first_place(screen)
    assert place.intersection(screen) == place
    assert place.x >= screen.x + screen.width // 2


def test_it_comes_back_to_where_it_was() -> None:
    place = Area(2000, 100, 600, 700)
    remember_place(place)
    assert remembered_place(LARGE) == place


def test_on_another_screen_all_of_it_is_in_sight() -> None:
    remember_place(Area(3000, -50, 600, 1300))
    place = remembered_place(SMALL)
    assert place.intersection(SMALL) == place
    assert place.width == 600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"x": 1}', '{"x": 1, "y": 1, "width": "9", "height": 9}',
                                  '{"x": 1, "y": 1, "width": 0, "height": 9}'])  # fmt: skip
def test_a_damaged_file_counts_as_none(home: Path, text: str) -> None:
    (home / FILE).write_text(text)
    assert remembered_place(LARGE) == first_place(LARGE)


def test_a_folder_that_cannot_be_written_is_no_matter(home: Path) -> None:
    (home / FILE).mkdir()
    remember_place(Area(0, 0, 10, 10))
    assert remembered_place(LARGE) == first_place(LARGE)
