"""What layers are called: by what they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plugin_client.gimp.translation import _
from plugin_client.wire.messages import Blend, JobInfo, Progress, Stage, TextItem

MAX_NAME = 60  # characters of one item in a title
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
    items = _sum((item["weight"], item.get("text") or item.get("label")) for item in recipe["items"])
    return _("Kandinsky: {items}, seed {seed}").format(items=items, seed=recipe["seed"])


def blend_title(blend: Blend) -> str:
    """Of a picture that is still to be made: "0.3 a cat + 0.7 sky, seed 42"."""
    items = _sum((item.weight, item.text if isinstance(item, TextItem) else item.label) for item in blend.items)
    return _("{items}, seed {seed}").format(items=items, seed=blend.seed)


def variation_title(recipe: dict[str, Any]) -> str:
    """The same, with the number of the variation, counted from 1."""
    return _("{title}, variation {number}").format(title=title(recipe), number=recipe["variation"] + 1)


def _sum(items: Iterable[tuple[float, str | None]]) -> str:
    return " + ".join(f"{weight:g} {_name(name)}" for weight, name in items)


def _name(name: str | None) -> str:
    name = " ".join((name or _("a picture")).split())
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def progress_line(progress: Progress | JobInfo) -> str:
    """E.g. "Denoising, step 12 of 50, 8 s, about 25 s left"."""
    parts = [STAGES[progress.stage]]
    if progress.steps:
        parts.append(_("step {step} of {steps}").format(step=progress.step, steps=progress.steps))
    parts.append(_("{seconds} s").format(seconds=f"{progress.elapsed:.0f}"))
    if progress.remaining >= 0:
        parts.append(_("about {seconds} s left").format(seconds=f"{progress.remaining:.0f}"))
    return ", ".join(parts)
