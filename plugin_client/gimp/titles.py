"""What layers are called: by what they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plugin_client.gimp.translation import _
from plugin_client.wire.messages import Blend, JobInfo, Progress, Stage, TextItem

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


def blend_title(blend: Blend) -> str:
    """Of a picture that is still to be made: "0.3 a cat + 0.7 sky, seed 42"."""
    items = _sum(
        (item.weight, _prompt(item.text) if isinstance(item, TextItem) else _picture(item.label))
        for item in blend.items
    )
    return _("{items}, seed {seed}").format(items=items, seed=blend.seed)


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
    return _sum(
        (item["weight"], _prompt(item["text"]) if "text" in item else _picture(item.get("label", "")))
        for item in recipe["items"]
    )


def _prompt(text: str) -> str:
    return text or _("nothing")


def _picture(label: str) -> str:
    return label or _("a picture")


def _sum(items: Iterable[tuple[float, str]]) -> str:
    """What has a weight: at the ends of a sweep some have none."""
    return " + ".join(f"{weight:g} {_name(name)}" for weight, name in items if weight)


def _name(name: str) -> str:
    name = " ".join(name.replace("\0", " ").split())
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def picture_line(progress: Progress, pictures: int) -> str:
    """E.g. "Picture 2 of 4, Denoising, step 12 of 50, 8 s, about 25 s left"; of a single one no number is told."""
    line = progress_line(progress)
    if pictures == 1:
        return line
    return ", ".join(
        [_("Picture {number} of {pictures}").format(number=progress.variation + 1, pictures=pictures), line]
    )


def progress_line(progress: Progress | JobInfo) -> str:
    """E.g. "Denoising, step 12 of 50, 8 s, about 25 s left"."""
    parts = [STAGES[progress.stage]]
    if progress.steps:
        parts.append(_("step {step} of {steps}").format(step=progress.step, steps=progress.steps))
    parts.append(time_words(progress.elapsed))
    if progress.remaining >= 0:
        parts.append(_("about {time} left").format(time=time_words(_roughly(progress.remaining))))
    return ", ".join(parts)


def time_words(seconds: float) -> str:
    """E.g. "8 s", "2 min 5 s", and from an hour on "1 h 20 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    words = [_("{hours} h").format(hours=hours)] if hours else []
    if minutes:
        words.append(_("{minutes} min").format(minutes=minutes))
    if not hours and (rest or not minutes):
        words.append(_("{seconds} s").format(seconds=rest))
    return " ".join(words)


def _roughly(seconds: float) -> float:
    """To the minute where there is more than one, since nobody can tell better."""
    return seconds if seconds < 60 else 60 * round(seconds / 60)
