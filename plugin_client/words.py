"""What the wire says, in the words of a person who blends: errors, recipes, and how two recipes differ."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from plugin_client.terminal import table
from plugin_client.wire.messages import Blend, Item, TextItem
from plugin_client.wire.schema import show

_SETTING = re.compile(rf"^(?:blend|recipe)\.(?=(?:{'|'.join(field.name for field in fields(Blend))})\b)")
_ENTRY = re.compile(r"^items\[(\d+)\](\.?)")

# The fields of a recipe that an option changes, where that is not the one of its own name.
_FIELDS = {"weights": {"items"}, "size": {"width", "height"}, "model": {"model", "model_hash"}}
OPTIONS = ("weights", "size", "steps", "guidance", "seed", "model")  # of `again`, which change the recipe


def in_words(error: Exception) -> str:
    """`item 1: text has 5000 characters ...` for the wire's `blend.items[0].text has 5000 characters ...`."""

    return _ENTRY.sub(lambda found: f"item {int(found[1]) + 1}{found[2] and ': '}", _SETTING.sub("", str(error)))


def changes(original: dict[str, Any], recipe: dict[str, Any], asked: Collection[str]) -> str:
    """What became of a picture made again with the options `asked`, once it is another one."""
    differing = {key for key in original.keys() | recipe.keys() if original.get(key) != recipe.get(key)}
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


def recipe_text(recipe: dict[str, Any], blend: Blend) -> str:
    """A recipe, and the blend that was read from it, as two tables: the items, and the settings under their options."""
    items = table(("WEIGHT", "ITEM"), [(f"{item.weight:g}", _item(item)) for item in blend.items])
    settings = {
        "size": f"{blend.width}x{blend.height}",
        "steps": f"{blend.steps}",
        "guidance": f"{blend.guidance:g}",
        "seed": f"{blend.seed}",
        "variation": f"{blend.variation + 1}",
        "prior-steps": f"{blend.prior_steps}",
        "prior-guidance": f"{blend.prior_guidance:g}",
        "negative": blend.negative,
        "decoder-prompt": blend.decoder_prompt,
        "blending": blend.blending + ", normalised" * blend.normalise,
        "model": f"{blend.model}, {blend.model_hash[:12]}".removesuffix(", "),
        "made": f"in {_told(recipe, 'precision')} on {_told(recipe, 'device')}, version {_told(recipe, 'version')}",
    }
    rows = [(name, printable(value)) for name, value in settings.items() if value]
    return f"{items}\n\n{table(('SETTING', 'VALUE'), rows)}"


def printable(text: str) -> str:
    """Text from a file that anybody may have written, without what would move a terminal's cursor or change it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _item(item: Item) -> str:
    if isinstance(item, TextItem):
        return f'prompt "{printable(item.text)}"'
    return f"picture {printable(item.label) or 'without a name'}"


def _told(recipe: dict[str, Any], key: str) -> str:
    """What a recipe says of how it was made, which nothing has checked."""
    value = recipe.get(key, "unknown")
    return value if isinstance(value, str) else show(value)
