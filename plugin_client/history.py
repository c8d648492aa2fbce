"""The newest results of an editor, kept in the data folder from one start of the editor to the next.

Each is a JSON file that only this user can read: of each picture the recipe, the size, and the compressed pixels.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin_client.packing import pack, unpack
from plugin_client.wire.errors import EndpointError, ProtocolError
from plugin_client.wire.limits import MAX_SIDE
from plugin_client.wire.messages import Picture
from plugin_client.wire.paths import data_folder, make_subfolder, write_privately
from plugin_client.wire.recipe import parse_recipe

FOLDER = "results"  # in the data folder
MOST_RESULTS = 40
MOST_BYTES = 64 * 2**20  # of all files
_CHANNELS = (3, 4)


@dataclass(frozen=True)
class KeptResult:
    """A result: its picture, or the frames of a sweep in their order, and the recipe that makes each again."""

    name: str  # of its file
    pictures: tuple[Picture, ...]
    recipes: tuple[dict[str, Any], ...]

    @property
    def is_sweep(self) -> bool:
        return len(self.pictures) > 1

    @property
    def shown(self) -> Picture:
        """The picture that stands for all: of a sweep the one in the middle."""
        return self.pictures[len(self.pictures) // 2]

    @property
    def bytes(self) -> int:
        """The size of all pixels."""
        return sum(len(picture.pixels) for picture in self.pictures)


def keep(pictures: Sequence[Picture], recipes: Sequence[dict[str, Any]]) -> KeptResult:
    """Keep a result, and let the oldest go beyond the limits.

    What cannot be written, or has no room within the limits by itself, is returned all the same.
    """
    kept = KeptResult(f"{time.time_ns():020}.json", tuple(pictures), tuple(recipes))
    text = _text(kept)
    if len(text) <= MOST_BYTES:
        with suppress(OSError, EndpointError):
            write_privately(make_subfolder(FOLDER) / kept.name, text)
            _bound()
    return kept


def kept_results() -> list[KeptResult]:
    """The results that are kept and readable, the oldest first."""
    return [result for file in _files() if (result := _read(file))]


def discard(result: KeptResult) -> None:
    """Keep a result no longer."""
    with suppress(OSError):
        (data_folder() / FOLDER / result.name).unlink()


def discard_all() -> None:
    """Keep none any longer."""
    for file in _files():
        with suppress(OSError):
            file.unlink()


def _files() -> list[Path]:
    try:
        return sorted((data_folder() / FOLDER).glob("*.json"))
    except EndpointError:  # the folder is no use, and the daemon says why
        return []


def _bound() -> None:
    """Remove the oldest until both limits hold."""
    files = _files()
    total = sum(file.stat().st_size for file in files)
    while len(files) > MOST_RESULTS or total > MOST_BYTES:
        total -= files[0].stat().st_size
        files.pop(0).unlink()


def _text(kept: KeptResult) -> str:
    frames = zip(kept.pictures, kept.recipes, strict=True)
    return json.dumps({"frames": [_plain_frame(picture, recipe) for picture, recipe in frames]})


def _plain_frame(picture: Picture, recipe: dict[str, Any]) -> dict[str, Any]:
    fields = {"width": picture.width, "height": picture.height, "channels": picture.channels}
    return {"recipe": recipe, **fields, "pixels": pack(picture.pixels)}


def _read(file: Path) -> KeptResult | None:
    """The result in a file; None where that is damaged, or not ours."""
    try:
        frames = [_frame(**plain) for plain in json.loads(file.read_bytes())["frames"]]
        pictures, recipes = zip(*frames, strict=True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ProtocolError):
        return None
    return KeptResult(file.name, pictures, recipes)


def _frame(
    width: int, height: int, channels: int, recipe: dict[str, Any], pixels: str
) -> tuple[Picture, dict[str, Any]]:
    """A picture and its recipe. Raises: ValueError, TypeError or ProtocolError: they are something else."""
    parse_recipe(recipe)
    if not (channels in _CHANNELS and _is_side(width) and _is_side(height)):
        raise ValueError(f"a picture of {width!r} x {height!r} pixels in {channels!r} channels")
    return Picture(width, height, channels, unpack(pixels, width * height * channels)), recipe


def _is_side(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_SIDE
