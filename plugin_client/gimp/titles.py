"""What layers are called: by what they are made of."""

from __future__ import annotations

from typing import Any

MAX_NAME = 60  # characters of one item in a title


def title(recipe: dict[str, Any]) -> str:
    """E.g. "Kandinsky: 0.3 a cat + 0.7 sky, seed 42"."""
    items = " + ".join(f"{item['weight']:g} {_name(item)}" for item in recipe["items"])
    return f"Kandinsky: {items}, seed {recipe['seed']}"


def variation_title(recipe: dict[str, Any]) -> str:
    """The same, with the number of the variation, counted from 1."""
    return f"{title(recipe)}, variation {recipe['variation'] + 1}"


def _name(item: dict[str, Any]) -> str:
    name = " ".join((item.get("text") or item.get("label") or "a picture").split())
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
