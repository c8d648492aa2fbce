"""Blends: several prompts and pictures, each with a weight, become pictures with recipes that make them again."""

from __future__ import annotations

from kandinsky_backend.blend.blender import Advance, Blender, BlendOutput, Embedded, Notice
from kandinsky_backend.blend.cache import EmbedsCache
from kandinsky_backend.blend.opening import open_blender
from kandinsky_backend.blend.recipe import Identity
from kandinsky_backend.blend.request import (
    BlendRequest,
    Embeds,
    Item,
    Picture,
    RefineRequest,
    RepaintRequest,
    Text,
    UpscaleRequest,
)
from kandinsky_backend.blend.tasks import Stage

__all__ = [
    "Advance",
    "BlendOutput",
    "BlendRequest",
    "Blender",
    "Embedded",
    "Embeds",
    "EmbedsCache",
    "Identity",
    "Item",
    "Notice",
    "Picture",
    "RefineRequest",
    "RepaintRequest",
    "Stage",
    "Text",
    "UpscaleRequest",
    "open_blender",
]
