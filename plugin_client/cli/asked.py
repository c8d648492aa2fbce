"""The items and settings that a command line asks for, and what it is told at the end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from plugin_client import pictures
from plugin_client.cli.arguments import GivenItem
from plugin_client.cli.terminal import tell, warn
from plugin_client.regions import size_within
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import AnyRequest, Item, Repaint, TextItem, Upscale
from plugin_client.wire.settings import SETTINGS, redraw_settings

R = TypeVar("R", bound=AnyRequest)

_NAMES = {*SETTINGS, "size", *(one.name for one in redraw_settings(Repaint))}


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given, by name."""
    return {name: value for name, value in vars(arguments).items() if name in _NAMES}


def given_items(arguments: argparse.Namespace) -> list[GivenItem]:
    """Return the prompts and pictures that were given, in their order."""
    given: list[GivenItem] = getattr(arguments, "items", [])
    return given


def items_of(arguments: argparse.Namespace) -> list[Item]:
    """Read the items that were given. Raises: UsageError."""
    given = given_items(arguments)
    if not given:
        return []
    backdrop = pictures.colour(arguments.backdrop)
    with pictures.warnings_told(warn):
        return [
            TextItem(source, weight)
            if kind == "prompt"
            else pictures.picture_item(Path(source), weight, fit=arguments.fit, backdrop=backdrop)
            for kind, source, weight in given
        ]


def something_of(arguments: argparse.Namespace) -> list[Item]:
    """Read the items that were given, of which there is at least one. Raises: UsageError."""
    if items := items_of(arguments):
        return items
    raise UsageError("there is nothing to blend: give at least one --prompt TEXT WEIGHT or --image FILE WEIGHT")


def changed(request: R, arguments: argparse.Namespace) -> R:
    """Return a recorded request with the settings and weights that were given instead of its own."""
    settings = settings_of(arguments)
    if size := settings.pop("size", None):
        settings |= _sides_of(request, size)
    if weights := getattr(arguments, "weights", None):
        if len(weights) != len(request.items):
            raise UsageError(f"{len(weights)} weights were given, and the recipe has {len(request.items)} items")
        settings["items"] = tuple(replace(item, weight=w) for item, w in zip(request.items, weights, strict=True))
    if "model" in settings:
        settings["model_hash"] = ""
    return replace(request, **settings)


def _sides_of(request: AnyRequest, size: tuple[int, int]) -> dict[str, int]:
    """Return the sides of the picture that a request makes, within a size where it is upscaled."""
    if isinstance(request, Upscale):
        source = request.source
        width, height = size_within((source.width, source.height), size)
        return {"target_width": width, "target_height": height}
    return {"width": size[0], "height": size[1]}


def tell_written(files: Sequence[Path], seed: int, arguments: argparse.Namespace) -> None:
    """Print the files' names; behind them a seed that was drawn, unless it was shown before."""
    is_news = arguments.quiet and "seed" not in vars(arguments)
    tell(*(f"{file}\tseed {seed}" if is_news else file for file in files))
