"""Errors, recipes and the differences of two recipes in words, for the shell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from plugin_client.cli.terminal import table
from plugin_client.wire.errors import BadArgument, BadValue, Path, dotted
from plugin_client.wire.messages import TextItem
from plugin_client.wire.recipe import Recipe, RecordedItem, Redrawn, Upscaled
from plugin_client.wire.settings import SETTINGS, BlendSettings, SettingField

_TARGET = ("target_width", "target_height")  # of an upscaled picture
# The fields of a recipe that an option changes, where that is not the one of its own name.
_FIELDS = {
    "weights": {"items"},
    "size": {"width", "height", *_TARGET},
    "model": {"model", "model_hash"},
}
# The options of `again`, which change the recipe.
_CHANGED = [name for name, one in SETTINGS.items() if one.setting.asked == "always" and name not in ("width", "height")]
OPTIONS = ("weights", "size", *_CHANGED)


def in_words(error: Exception) -> str:
    """Return the sentence of an error, with items counted from 1: `item 1: text` for items[0].text."""
    return error.render(name=_name(error.path)) if isinstance(error, BadValue | BadArgument) else str(error)


def _name(path: Path) -> str:
    """Return a value's name for a person: a recipe's fields are known by their own, items by their number."""
    match path:
        case ("recipe", field, *way) if isinstance(field, str):
            return _name((field, *way))
        case ("items", int(n), *way):
            return ": ".join([f"item {n + 1}", *([dotted(tuple(way))] if way else [])])
    return dotted(path)


def changes(original: Recipe, made: Recipe, asked: Collection[str]) -> str:
    """Describe how a picture that was made again with the options `asked` differs from the original."""
    before, after = original.plain(), made.plain()
    differing = {key for key in before if before[key] != after[key]}
    changed = [option for option in OPTIONS if option in asked and differing & _fields(option)]
    unasked = sorted(differing - set().union(*map(_fields, changed)))
    if not differing:
        return "another picture: its recipe is the same, but its pixels differ"
    if not changed:
        return f"another picture: its recipe differs in {', '.join(unasked)}"
    beside = f"; its recipe also differs in {', '.join(unasked)}" if unasked else ""
    return f"changed: {', '.join(changed)}{beside}"


def _fields(option: str) -> set[str]:
    return _FIELDS.get(option, {option})


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as two tables: the items, and the settings under their options."""
    drawn = [(f"{item.weight:g}", _item(item)) for item in recipe.items]
    items = table(("WEIGHT", "ITEM"), drawn or [("-", "the surroundings" if recipe.kind == "repaint" else "itself")])
    made = recipe.provenance
    settings = {
        **({"kind": recipe.kind, **_told(recipe.redrawn)} if recipe.redrawn else {}),
        **_sizes(recipe),
        **{one.option: _setting(recipe.settings, one) for one in SETTINGS.values() if one.name not in _TOLD_OTHERWISE},
        "made": f"in {_known(made.precision)} on {_known(made.device)}, version {_known(made.version)}",
    }
    rows = [(name, printable(value)) for name, value in settings.items() if value]
    return f"{items}\n\n{table(('SETTING', 'VALUE'), rows)}"


def _sizes(recipe: Recipe) -> dict[str, str]:
    """Return the size that the model drew at; of an upscaled picture it is that of a tile, beside its own."""
    drawn = f"{recipe.settings.width}x{recipe.settings.height}"
    if isinstance(recipe.redrawn, Upscaled):
        return {"size": f"{recipe.redrawn.target_width}x{recipe.redrawn.target_height}", "tile": drawn}
    return {"size": drawn}


_NOT_RECORDED = [one.name for one in SETTINGS.values() if not one.setting.is_recorded]
_TOLD_OTHERWISE = ("width", "height", "model_hash", *_NOT_RECORDED)


def _setting(settings: BlendSettings, one: SettingField) -> str:
    """Return the value of a recorded setting for a person; empty where there is nothing to tell."""
    value = getattr(settings, one.name)
    match one.name:
        case "variation":  # which people count from 1
            return f"{value + 1}"
        case "model":
            return f"{value}, {settings.model_hash[:12]}".removesuffix(", ")
    if one.type is bool:
        return "yes" if value else ""
    return f"{value:g}" if one.type is float else str(value)


def _told(redrawn: Redrawn) -> dict[str, str]:
    """Return what a picture was drawn into, and how, for a person."""
    told = {one.name: getattr(redrawn, one.name) for one in fields(redrawn) if one.name not in _TARGET}
    hashes = {name: told.pop(name)[:12] for name in ("source", "mask") if name in told}
    return hashes | {name: value if isinstance(value, str) else f"{value:g}" for name, value in told.items()}


def printable(text: str) -> str:
    """Return text from a file, which anybody may have written, with control characters escaped for a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _item(item: RecordedItem) -> str:
    if isinstance(item, TextItem):
        return f'prompt "{printable(item.text)}"'
    return f"picture {printable(item.label) or 'without a name'}"


def _known(text: str) -> str:
    return text or "unknown"
