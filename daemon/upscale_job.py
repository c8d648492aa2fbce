"""Jobs of the kind "upscale"."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.drawing import items_of, pictures_of, pillow_image
from daemon.engine import JobEvent, Model
from kandinsky_backend.blend import UpscaleRequest
from plugin_client.wire.messages import Upscale


def run(job: str, upscale: Upscale, model: Model) -> Iterator[JobEvent]:
    """Make a picture larger. See engine.Run."""
    return pictures_of(job, upscale, request_of(upscale), model)


def request_of(upscale: Upscale) -> UpscaleRequest:
    """The backend's request."""
    source, size = pillow_image(upscale.source), (upscale.target_width, upscale.target_height)
    return UpscaleRequest(items_of(upscale), upscale, source, size, upscale.strength)
