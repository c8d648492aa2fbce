"""The newest results of an editor, kept in the data folder from one start of the editor to the next.

Each is a JSON file that only this user can read: the recipe, the size, and the compressed pixels.
"""

from __future__ import annotations

import json
import time
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
    """A result: its picture, and the recipe that makes it again."""

    name: str  # of its file
    picture: Picture
    recipe: dict[str, Any]


def keep(picture: Picture, recipe: dict[str, Any]) -> KeptResult:
    """Keep a result, and let the oldest go beyond the limits. What cannot be written is returned all the same."""
    kept = KeptResult(f"{time.time_ns():020}.json", picture, recipe)
    with suppress(OSError, EndpointError):
        write_privately(make_subfolder(FOLDER) / kept.name, _text(kept))
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
    """Remove the oldest until both limits hold; the newest stays."""
    files = _files()
    total = sum(file.stat().st_size for file in files)
    while len(files) > MOST_RESULTS or (total > MOST_BYTES and len(files) > 1):
        total -= files[0].stat().st_size
        files.pop(0).unlink()


def _text(kept: KeptResult) -> str:
    picture = kept.picture
    fields = {"width": picture.width, "height": picture.height, "channels": picture.channels}
    return json.dumps({"recipe": kept.recipe, **fields, "pixels": pack(picture.pixels)})


def _read(file: Path) -> KeptResult | None:
    """The result in a file; None where that is damaged, or not ours."""
    try:
        plain = json.loads(file.read_bytes())
        width, height, channels, recipe = (plain[name] for name in ("width", "height", "channels", "recipe"))
        parse_recipe(recipe)
        if not (channels in _CHANNELS and _is_side(width) and _is_side(height)):
            return None
        pixels = unpack(plain["pixels"], width * height * channels)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ProtocolError):
        return None
    return KeptResult(file.name, Picture(width, height, channels, pixels), recipe)


def _is_side(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_SIDE
