"""Drafts: quick, small pictures that foretell what a blend will look like."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from plugin_client.wire.messages import AnyRequest
from plugin_client.wire.settings import Sampler

R = TypeVar("R", bound=AnyRequest)

DRAFT_STEPS = 12
DRAFT_SAMPLER: Sampler = "dpm++_karras"  # of all samplers the nearest to 50 steps, see tests/embedded/drafts.py
MOST_PIXELS = 256**2  # of a draft: noise depends on the size, so that up to here a draft has that of its result


def draft_of(request: R) -> R:
    """Return the request with few steps, as one picture, and not larger than MOST_PIXELS, of the same shape.

    Steps that are left to the model count as many: which model it will be is not known here.
    Its items, seed and all that is embedded stay, so that a daemon that has embedded them once runs no encoder again.
    """
    width, height = request.width, request.height
    scale = math.sqrt(MOST_PIXELS / (width * height)) if width * height > MOST_PIXELS else 1.0
    return replace(
        request,
        steps=min(request.steps or DRAFT_STEPS, DRAFT_STEPS),
        sampler=request.sampler if 0 < request.steps <= DRAFT_STEPS else DRAFT_SAMPLER,
        count=1,
        width=round(width * scale),
        height=round(height * scale),
        preview_every=0,
    )
