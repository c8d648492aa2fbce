"""Recipes: the plain data that travels with a picture and makes it again."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from kandinsky_backend.blend.request import (
    BlendRequest,
    Item,
    Picture,
    RefineRequest,
    RepaintRequest,
    Text,
    UpscaleRequest,
    picture_hash,
)
from kandinsky_backend.sampling import Array
from plugin_client.wire.settings import RECIPE_VERSION, recorded

# The ways of a repainting: with a UNet that sees what is known, or with any, by putting back what is known each step.
INPAINTING = {True: "inpaint-unet", False: "known-region"}


@dataclass(frozen=True)
class Identity:
    """The weights that make the pictures, and how they compute: a part of every recipe under these names."""

    model: str
    model_hash: str
    precision: str
    device: str


def recipe_of(
    request: BlendRequest, embeds: Sequence[Array], variation: int, identity: Identity, inpainting: str = ""
) -> dict[str, Any]:
    """The recipe of one variation of a request whose items have these embeddings (D,).

    Args:
        inpainting: the way that a repainting goes, see INPAINTING.
    """
    return {
        "recipe": RECIPE_VERSION,
        **_kind(request, inpainting),
        "items": [_describe(item, embed) for item, embed in zip(request.items, embeds, strict=True)],
        **recorded(request.settings),
        "variation": variation,
        **asdict(identity),
        "version": version("kandinsky-blend"),
    }


def _kind(request: BlendRequest, inpainting: str) -> dict[str, Any]:
    """The kind of a recipe, and what only those of this kind have: pictures by their hash."""
    match request:
        case RefineRequest():
            return {"kind": "refine", "source": picture_hash(request.source), "strength": request.strength}
        case RepaintRequest():
            return {
                "kind": "repaint",
                "source": picture_hash(request.source),
                "mask": picture_hash(request.mask),
                "strength": request.strength,
                "resamplings": request.resamplings,
                "inpainting": inpainting,
            }
        case UpscaleRequest():
            width, height = request.size
            return {
                "kind": "upscale",
                "source": picture_hash(request.source),
                "target_width": width,
                "target_height": height,
                "strength": request.strength,
            }
    return {"kind": "blend"}


def _describe(item: Item, embeds: Array) -> dict[str, Any]:
    """An item in a recipe: a prompt as itself, a picture as its embedding, so that no file is needed."""
    if isinstance(item, Text):
        return {"kind": "text", "text": item.text, "weight": item.weight}
    values = base64.b64encode(np.asarray(embeds, "<f4").tobytes()).decode()
    described = {"kind": "embeds", "embeds": values, "weight": item.weight, "label": item.label}
    if isinstance(item, Picture):
        described |= {"picture": picture_hash(item.image), "fit": item.fit}
    return described
