"""Recipes: the plain data that travels with every picture and makes it again.

A recipe comes out of a file that anybody may have written, so it is read as strictly as a message.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from plugin_client.wire.codec import blend_from_plain
from plugin_client.wire.errors import ProtocolError, VersionError
from plugin_client.wire.messages import Blend, Result
from plugin_client.wire.schema import show

RECIPE_VERSION = 1

# What a recipe tells about how its picture was made, and what does not change how it is made again. The rest are
# fields of a blend under their own names.
_PROVENANCE = frozenset({"recipe", "precision", "device", "version"})
_ITEM_PROVENANCE = frozenset({"picture", "fit"})


def recipes_of(result: Result) -> list[dict[str, Any]]:
    """The recipe of each picture of a result: they differ in the number of the variation."""
    first = result.recipe.get("variation", 0)
    return [{**result.recipe, "variation": first + n} for n in range(len(result.pictures))]


def blend_from_recipe(recipe: object) -> Blend:
    """The blend that makes a picture again: prompts as text, pictures as the embeddings that the model saw.

    Raises:
        VersionError: the recipe is of another version.
        ProtocolError: it is not a recipe, or a value in it is out of range; the text names it.
    """
    if not isinstance(recipe, dict):
        raise ProtocolError(f"the recipe is {show(recipe)}: must be a map")
    if (version := recipe.get("recipe")) != RECIPE_VERSION or type(version) is not int:
        raise VersionError(f"the recipe is of version {show(version)}, and this program reads {RECIPE_VERSION}")
    settings = {key: value for key, value in recipe.items() if key not in _PROVENANCE}
    items = settings.get("items")
    if isinstance(items, list):
        settings["items"] = [plain_item(item, f"recipe.items[{n}]") for n, item in enumerate(items)]
    return blend_from_plain(settings, "recipe")


def with_provenance(recipe: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    """`recipe`, of a picture made again from `original`, with what was known of the pictures behind its embeddings.

    An embedding is sent without its past, so the daemon cannot tell it.
    """
    known = {item["embeds"]: item for item in original["items"] if "embeds" in item}
    items = [{**known.get(item.get("embeds"), {}), **item} for item in recipe["items"]]
    return {**recipe, "items": items}


def plain_item(item: object, where: str) -> object:
    """An item of a recipe as an item of a submit message, not yet checked."""
    if not isinstance(item, dict):
        raise ProtocolError(f"{where} is {show(item)}: must be a map")
    if "embeds" not in item:
        return {"kind": "text", **item}
    kept = {key: value for key, value in item.items() if key not in _ITEM_PROVENANCE}
    return {"kind": "embeds", **kept, "embeds": _from_base64(item["embeds"], f"{where}.embeds")}


def _from_base64(text: object, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError, binascii.Error) as exc:
        raise ProtocolError(f"{where} is {show(text)}: must be base64 text") from exc
