"""What layers are called: by what they are made of."""

from __future__ import annotations

from typing import Any

from plugin_client.wire.messages import Progress

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


def progress_line(progress: Progress) -> str:
    """E.g. "Denoising, step 12 of 50, 8 s, about 25 s left"."""
    parts = [progress.stage.capitalize()]
    if progress.steps:
        parts.append(f"step {progress.step} of {progress.steps}")
    parts.append(f"{progress.elapsed:.0f} s")
    if progress.remaining >= 0:
        parts.append(f"about {progress.remaining:.0f} s left")
    return ", ".join(parts)
