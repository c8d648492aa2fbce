"""The place and size of a dialog on the screen: at the edge at first, later where the artist has put it."""

from __future__ import annotations

from dataclasses import asdict

from plugin_client.editor import small_files
from plugin_client.editor.geometry import Area

FILE = "panel.json"  # in the data folder
MAX_BYTES = 2**12
WIDTH, HEIGHT = 520, 860  # px at first, where the screen has so many
FRAME = 40  # px that a window manager may add above and below


def first_place(screen: Area) -> Area:
    """The place of a dialog that has none yet: at the right edge, clear of the middle, where the picture is."""
    width = min(WIDTH, screen.width // 2)
    height = min(HEIGHT, screen.height - FRAME)
    return Area(screen.x + screen.width - width, screen.y, width, height)


def remembered_place(screen: Area) -> Area:
    """The place where the dialog was last, moved and shrunk so that all of it is on the screen."""
    place = _read()
    if place is None:
        return first_place(screen)
    width, height = min(place.width, screen.width), min(place.height, screen.height - FRAME)
    x = min(max(place.x, screen.x), screen.x + screen.width - width)
    y = min(max(place.y, screen.y), screen.y + screen.height - FRAME - height)
    return Area(x, max(y, screen.y), width, height)


def remember_place(place: Area) -> None:
    """Write the place down; where that is not possible it is forgotten."""
    small_files.write(FILE, asdict(place))


def _read() -> Area | None:
    try:
        place = Area(**small_files.read(FILE, MAX_BYTES))
    except TypeError:  # there is none, or it holds something else
        return None
    sides = (place.x, place.y, place.width, place.height)
    is_sound = all(type(side) is int for side in sides) and min(place.width, place.height) > 0
    return place if is_sound else None
