"""What layers are called: by what they are made of."""

from __future__ import annotations

from typing import Any

from plugin_client.gimp.translation import _
from plugin_client.wire.messages import Progress, Stage

MAX_NAME = 60  # characters of one item in a title
FRAME_TIMING = "(100ms) (replace)"  # as GIMP's export of animations reads it: each frame by itself
STAGES: dict[Stage, str] = {
    "queued": _("Queued"),
    "loading": _("Loading"),
    "encoding": _("Encoding"),
    "prior": _("Prior"),
    "denoising": _("Denoising"),
    "decoding": _("Decoding"),
}


def title(recipe: dict[str, Any]) -> str:
    """E.g. "Kandinsky: 0.3 a cat + 0.7 sky, seed 42"."""
    return _("Kandinsky: {items}, seed {seed}").format(items=_items(recipe), seed=recipe["seed"])


def variation_title(recipe: dict[str, Any]) -> str:
    """The same, with the number of the variation, counted from 1."""
    return _("{title}, variation {number}").format(title=title(recipe), number=recipe["variation"] + 1)


def frame_title(recipe: dict[str, Any], number: int, frames: int) -> str:
    """E.g. "Frame 2 of 8 (100ms) (replace): 0.3 a cat + 0.7 sky, seed 42"; `number` counts from 1.

    GIMP's export of animations takes the first such words in parentheses in the name of a layer, so they stand before
    a prompt, which may hold some too.
    """
    return _("Frame {number} of {frames} {timing}: {items}, seed {seed}").format(
        number=number, frames=frames, timing=FRAME_TIMING, items=_items(recipe), seed=recipe["seed"]
    )


def sweep_title(first: dict[str, Any], last: dict[str, Any]) -> str:
    """E.g. "Kandinsky sweep: 1 a cat to 1 sky, seed 42"."""
    return _("Kandinsky sweep: {first} to {last}, seed {seed}").format(
        first=_items(first), last=_items(last), seed=first["seed"]
    )


def _items(recipe: dict[str, Any]) -> str:
    """What has a weight: at the ends of a sweep some have none."""
    return " + ".join(f"{item['weight']:g} {_name(item)}" for item in recipe["items"] if item["weight"])


def _name(item: dict[str, Any]) -> str:
    name = " ".join((item.get("text") or item.get("label") or _("a picture")).split())
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def progress_line(progress: Progress, pictures: int = 1) -> str:
    """E.g. "Picture 2 of 4, Denoising, step 12 of 50, 8 s, about 25 s left"; of a single one no number is told."""
    parts = []
    if pictures > 1:
        parts.append(_("Picture {number} of {pictures}").format(number=progress.variation + 1, pictures=pictures))
    parts.append(STAGES[progress.stage])
    if progress.steps:
        parts.append(_("step {step} of {steps}").format(step=progress.step, steps=progress.steps))
    parts.append(_("{seconds} s").format(seconds=f"{progress.elapsed:.0f}"))
    if progress.remaining >= 0:
        parts.append(_("about {seconds} s left").format(seconds=f"{progress.remaining:.0f}"))
    return ", ".join(parts)
