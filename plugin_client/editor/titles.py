"""Names of layers, after what they are made of, and lines about progress."""

from __future__ import annotations

from typing import Any

from plugin_client.editor.geometry import Area
from plugin_client.editor.translation import _
from plugin_client.formatting import duration, stage_name, transferred
from plugin_client.wire.messages import Blend, JobInfo, Progress, Refine, Repaint, Upscale
from plugin_client.wire.titles import picture_name, prompt_name, weighted_sum

_TOLD_SCALE = 1.25
FRAME_TIMING = "(100ms) (replace)"  # as GIMP's export of animations reads it: each frame by itself


_TITLES = {
    Blend.kind: _("Kandinsky: {items}, seed {seed}"),
    Refine.kind: _("Kandinsky, refined: {items}, seed {seed}"),
    Repaint.kind: _("Kandinsky, repainted: {items}, seed {seed}"),
    Upscale.kind: _("Kandinsky, upscaled: {items}, seed {seed}"),
}


def title(recipe: dict[str, Any]) -> str:
    """The name of a layer, such as "Kandinsky: 0.3 a cat + 0.7 sky, seed 42"."""
    return _TITLES[recipe.get("kind", Blend.kind)].format(items=_items(recipe), seed=recipe["seed"])


def variation_title(recipe: dict[str, Any]) -> str:
    """The name of a layer with the number of its variation, counted from 1."""
    return _("{title}, variation {number}").format(title=title(recipe), number=recipe["variation"] + 1)


def scaled_line(recipe: dict[str, Any], area: Area) -> str:
    """Return that a picture was drawn much smaller than the area that it is put over; "" where it was not."""
    width, height = recipe["width"], recipe["height"]
    is_drawn_in_full = recipe.get("kind") == Upscale.kind
    if is_drawn_in_full or max(area.width / width, area.height / height) < _TOLD_SCALE:
        return ""
    return _("The model drew it at {made} pixels, and it was scaled up: a smaller part gets finer detail.").format(
        made=f"{width} x {height}"
    )


def frame_title(recipe: dict[str, Any], number: int, frames: int) -> str:
    """The name of frame `number`, from 1, such as "Frame 2 of 8 (100ms) (replace): 0.3 a cat + 0.7 sky, seed 42".

    GIMP's export of animations takes the first such words in parentheses in the name of a layer, so they stand before
    a prompt, which may hold some too.
    """
    return _("Frame {number} of {frames} {timing}: {items}, seed {seed}").format(
        number=number, frames=frames, timing=FRAME_TIMING, items=_items(recipe), seed=recipe["seed"]
    )


def sweep_title(first: dict[str, Any], last: dict[str, Any]) -> str:
    """The name of a group of frames, such as "Kandinsky sweep: 1 a cat to 1 sky, seed 42"."""
    return _("Kandinsky sweep: {first} to {last}, seed {seed}").format(
        first=_items(first), last=_items(last), seed=first["seed"]
    )


def short_name(name: str) -> str:
    """The name of a result as an ingredient of the next one, such as "result 42": titles in titles would nest.

    A name that is no title, because the artist gave it, stays.
    """
    before_the_seed = _TITLES[Blend.kind].partition("{items}")[2].partition("{seed}")[0]
    _rest, is_title, seed = name.rpartition(before_the_seed)
    return _("result {seed}").format(seed=seed) if is_title else name


def _items(recipe: dict[str, Any]) -> str:
    return weighted_sum(
        (item["weight"], prompt_name(item["text"], _) if "text" in item else picture_name(item.get("label", ""), _))
        for item in recipe["items"]
    )


def picture_line(progress: Progress, pictures: int) -> str:
    """A line such as "Picture 2 of 4, Denoising, step 12 of 50, 8 s, about 25 s left"; a single one has no number."""
    line = progress_line(progress)
    if pictures == 1:
        return line
    return ", ".join(
        [_("Picture {number} of {pictures}").format(number=progress.variation + 1, pictures=pictures), line]
    )


def progress_line(progress: Progress | JobInfo) -> str:
    """A line such as "Denoising, step 12 of 50, 8 s, about 25 s left"."""
    parts = [stage_name(progress, _)]
    if amount := transferred(progress, _):
        parts.append(amount)
    elif progress.steps:
        parts.append(_("step {step} of {steps}").format(step=progress.step, steps=progress.steps))
    parts.append(duration(progress.elapsed, _))
    if progress.remaining >= 0:
        parts.append(_("about {time} left").format(time=duration(_roughly(progress.remaining), _)))
    return ", ".join(parts)


def _roughly(seconds: float) -> float:
    """An estimate rounded to the minute, if it is more than one."""
    return seconds if seconds < 60 else 60 * round(seconds / 60)
