"""Presets: settings and prompts under a name, a file each in the data folder.

    {"preset": 1, "name": "Soft", "settings": {"steps": 30}, "prompts": [{"text": "a cat", "weight": 0.5}]}

Settings that are left out are the defaults; without a seed one is drawn. Layers are of an image, and stay out. One of
pictures that are drawn into may hold their settings too, such as the strength: what does not have them leaves them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plugin_client.wire import schema
from plugin_client.wire.errors import BadArgument, BadValue, EndpointError, UsageError, show
from plugin_client.wire.limits import MAX_ITEMS
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Refine, Repaint, TextItem
from plugin_client.wire.paths import data_folder, make_subfolder, write_privately
from plugin_client.wire.recipe import item_from_plain
from plugin_client.wire.settings import SETTINGS, BlendSettings, Resamplings, Strength, Value

FOLDER = "presets"  # in the data folder
VERSION = 1
MAX_BYTES = 2**20  # of a file
MAX_NAME_CHARS = 60

_KEYS = {"preset", "name", "settings", "prompts"}


@dataclass(frozen=True, kw_only=True)
class _Settings(BlendSettings):
    """What the settings of a preset may be."""

    strength: Strength = Refine.strength
    resamplings: Resamplings = Repaint.resamplings


_SETTINGS = schema.record(_Settings)


@dataclass(frozen=True)
class Preset:
    """What a picture is made of besides its layers; `settings` holds some of a request's settings."""

    name: str
    settings: Mapping[str, Value]
    prompts: tuple[TextItem, ...]


def saved_presets() -> tuple[list[Preset], list[UsageError]]:
    """The presets of this user by their names, and what is wrong with each file that holds none."""
    presets, faults = [], []
    for path in sorted((data_folder() / FOLDER).glob("*.json")):
        try:
            presets.append(read_preset(path))
        except UsageError as exc:
            faults.append(exc)
    return sorted(presets, key=lambda preset: preset.name.casefold()), faults


def save_preset(preset: Preset) -> None:
    """Keep a preset, in place of one that has the same name.

    Raises:
        UsageError: its name or a value cannot be, or the data folder cannot be written; the older one stays.
    """
    try:
        folder = make_subfolder(FOLDER)
    except (OSError, EndpointError) as exc:
        raise _not_written(FOLDER, exc) from exc
    write_preset(preset, folder / _file_name(preset.name))


def remove_preset(name: str) -> None:
    """Forget a preset. Raises UsageError where its file cannot be removed."""
    path = data_folder() / FOLDER / _file_name(name)
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise _not_written(path, exc) from exc


def read_preset(path: Path) -> Preset:
    """Read a preset from a file, such as one that another user has exported.

    Raises:
        UsageError: it holds none; the file is left as it is.
    """
    try:
        with path.open("rb") as file:
            plain = json.loads(file.read(MAX_BYTES))
    except OSError as exc:
        raise UsageError(N_("{file} cannot be read: {reason}"), file=path, reason=exc) from exc
    except (ValueError, RecursionError) as exc:
        raise _damaged(path, exc) from exc
    if type(plain) is dict and type(version := plain.get("preset")) is int and version > VERSION:
        raise UsageError(
            N_("the preset {file} is of version {version}, and this program reads {own}: update it"),
            file=path,
            version=version,
            own=VERSION,
        )
    try:
        return _preset(plain)
    except (UsageError, BadValue) as exc:
        raise _damaged(path, exc) from exc


def write_preset(preset: Preset, path: Path) -> None:
    """Write a preset into a file as a whole, or not at all.

    Raises:
        UsageError: its name or a value cannot be, or the file cannot be written.
    """
    plain = {
        "preset": VERSION,
        "name": preset.name,
        "settings": dict(preset.settings),
        "prompts": [asdict(prompt) for prompt in preset.prompts],
    }
    try:
        _preset(plain)
        write_privately(path, json.dumps(plain, ensure_ascii=False, indent=2))
    except BadValue as exc:
        raise BadArgument.of(exc) from exc
    except OSError as exc:
        raise _not_written(path, exc) from exc


def _preset(plain: Any) -> Preset:
    """The preset that a file holds. Raises UsageError, or BadValue for one of its values."""
    if type(plain) is not dict or plain.keys() != _KEYS or plain["preset"] != VERSION:
        raise UsageError(N_("it must be a map of {keys}"), keys=", ".join(sorted(_KEYS)))
    name, settings, prompts = plain["name"], plain["settings"], plain["prompts"]
    if type(name) is not str or not name.strip() or len(name) > MAX_NAME_CHARS:
        raise UsageError(
            N_("the name of a preset is {value}: must have from 1 to {most} characters"),
            value=show(name),
            most=MAX_NAME_CHARS,
        )
    if type(settings) is not dict or type(prompts) is not list or len(prompts) > MAX_ITEMS:
        raise UsageError(N_("settings must be a map, and prompts a list of at most {most}"), most=MAX_ITEMS)
    _SETTINGS.read(settings, ("settings",), schema.Frames([]))
    items = tuple(item_from_plain(prompt, ("prompts", n)) for n, prompt in enumerate(prompts))
    texts = tuple(item for item in items if isinstance(item, TextItem))
    if len(texts) != len(items):
        raise UsageError(N_("settings must be a map, and prompts a list of at most {most}"), most=MAX_ITEMS)
    return Preset(name, settings, texts)


def settings_with_defaults(preset: Preset) -> dict[str, Value]:
    """The value of each setting that the preset holds, and of each of a blend that it leaves out."""
    return {**{name: one.default for name, one in SETTINGS.items()}, **preset.settings}


def _file_name(name: str) -> str:
    """A name of a file for any name of a preset."""
    return f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def _damaged(path: Path, reason: Exception) -> UsageError:
    return UsageError(
        N_("{file} holds no preset, and was left alone: {reason}"),
        file=path,
        reason=reason,
    )


def _not_written(place: object, reason: Exception) -> UsageError:
    return UsageError(N_("the preset cannot be written to {place}: {reason}"), place=place, reason=reason)
